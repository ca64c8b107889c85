//! What comes from the site itself: seeds and spare chunks over the socket, ranges by the way out, and what the page refers
//! to besides.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::seq::IteratorRandom;
use tokio::task::JoinError;

use super::{
    carry::Carry,
    page::read_list,
    site::{Answer, Site, SiteError},
    visitor::OBJECT_MAX,
    way_out::{self, Came},
};
use crate::{
    content::{BLOCK, block_digests, verify},
    swarm::{
        Input, Message, Payload,
        message::{Block, Digests, Proof},
    },
};

/// What a request came to.
pub(super) enum Done {
    /// The digests of the object that begins at this chunk.
    List {
        first: u32,
        answer: Result<Answer, SiteError>,
    },
    Range {
        chunks: Range<u32>,
        came: Came,
    },
    Plain {
        path: String,
        answer: Result<Answer, SiteError>,
    },
}

impl Carry {
    /// Takes a chunk of the origin, whose bytes are verified like a neighbour's.
    pub(super) fn origin(&mut self, chunk: u32, bytes: &Bytes) {
        let digests = block_digests(bytes);
        self.input(Input::Origin(Message::Proof(Proof { chunk, digests })));
        for (block, at) in (0..=u8::MAX).zip((0..bytes.len()).step_by(BLOCK)) {
            let bytes = bytes.slice(at..bytes.len().min(at + BLOCK));
            self.input(Input::Origin(Message::Block(Block {
                credit: 0,
                chunk,
                block,
                bytes,
            })));
        }
        self.stored(None);
    }

    pub(super) fn stored(&mut self, from: Option<u32>) {
        let stored = self.swarm.page().stored();
        // Without a link, what the origin has to spare is no progress: it would come to the whole page chunk by chunk.
        if self.visit.stored(stored, from, &self.course.gauge) && self.circle.open() > 0 {
            self.way_out.progressed(Instant::now());
        }
    }

    /// A chunk is called complete: it is looked at again, by nobody who said so.
    pub(super) fn got(&mut self, chunk: u32) {
        self.missing.remove(&chunk);
        let page = self.swarm.page();
        let right = page
            .chunk(chunk)
            .is_some_and(|bytes| page.digest(chunk).is_some_and(|digest| verify(&bytes, &digest)));
        if !right {
            self.visit.wrong_bytes += page.length(chunk) as u64;
        }
    }

    /// Asks the site for what there is no hope for.
    pub(super) fn ask_site(&mut self) {
        let now = Instant::now();
        while let Some(allowed) = self.way_out.allowance(self.hope(), now)
            && self.ranges < allowed.requests
            && let Some((path, bytes, length, chunks)) = self.next_range(allowed.run)
        {
            self.way_out.defer(allowed.pause, now);
            self.ranges += 1;
            self.visit.ranges += 1;
            let site = self.course.site.clone();
            self.under_way.spawn(async move {
                let came = way_out::fetch(&site, &path, bytes, length).await;
                Done::Range { chunks, came }
            });
        }
    }

    /// Chunks that are not here and not asked for, and could be verified if they were.
    pub(super) fn askable(&self) -> impl Iterator<Item = u32> {
        let page = self.swarm.page();
        self.missing
            .iter()
            .copied()
            .filter(|chunk| page.digest(*chunk).is_some())
    }

    /// Some chunks of one object that follow each other, from anywhere: in order, two newcomers would have the same.
    fn next_range(&mut self, run: u32) -> Option<(String, Range<u64>, u64, Range<u32>)> {
        let first = self.askable().choose(&mut rand::rng())?;
        let page = self.swarm.page();
        let (object, bytes) = page.locate(first)?;
        let (mut end, mut next) = (bytes.end, first + 1);
        while next < first + run
            && self.missing.contains(&next)
            && let Some((_, more)) = page.locate(next).filter(|(same, _)| same.digest == object.digest)
        {
            (end, next) = (more.end, next + 1);
        }
        let path = format!("{OBJECT}{}", object.digest);
        let length = object.length;
        self.missing.retain(|chunk| !(first..next).contains(chunk));
        Some((path, bytes.start..end, length, first..next))
    }

    pub(super) fn done(&mut self, done: Result<Done, JoinError>) {
        match done {
            Ok(Done::Range { chunks, came }) => {
                self.ranges -= 1;
                self.fetched(chunks, came);
            }
            Ok(Done::List { first, answer }) => self.listed(first, answer),
            Ok(Done::Plain { path, answer }) => {
                self.plain -= 1;
                match answer {
                    // A picture that is not there is the site's own affair; a browser shows the rest.
                    Ok(answer) if !answer.status.is_success() => {}
                    Ok(answer) => self.visit.arrived(&path, &answer.body),
                    Err(SiteError::Long { .. }) => {}
                    Err(error) => self.failed = Some(error),
                }
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }

    /// Asks the site for the digests that no neighbour has told in time.
    pub(super) fn ask_lists(&mut self) {
        if self.untold.take_if(|due| Instant::now() >= *due).is_none() {
            return;
        }
        for (chunks, object) in self.swarm.page().unlisted() {
            let (site, path, first) = (self.course.site.clone(), object.list_path(), chunks.start);
            self.under_way.spawn(async move {
                let answer = site.object(&path, OBJECT_MAX).await;
                Done::List { first, answer }
            });
        }
    }

    fn listed(&mut self, first: u32, answer: Result<Answer, SiteError>) {
        if let Ok(answer) = answer
            && answer.status.is_success()
        {
            self.input(Input::Digests(Digests {
                chunk: first,
                digests: read_list(&answer.body),
            }));
            self.stored(None);
        }
        if self.swarm.page().digest(first).is_none() {
            self.give_up(first);
        }
    }

    fn fetched(&mut self, chunks: Range<u32>, came: Came) {
        let now = Instant::now();
        match came {
            Came::Bytes(bytes) => {
                self.visit.ranged += bytes.len() as u64;
                let mut rest = bytes;
                for chunk in chunks {
                    let length = self.swarm.page().length(chunk).min(rest.len());
                    self.origin(chunk, &rest.split_to(length));
                }
            }
            Came::Later(span) => {
                self.way_out.defer(span, now);
                self.missing.extend(chunks);
            }
            Came::Broken => {
                self.way_out.defer(RETRY, now);
                self.missing.extend(chunks);
            }
            Came::Gone => self.give_up(chunks.start),
        }
    }

    /// Loads the object of a chunk as ever: the site has another one by now, or none.
    fn give_up(&mut self, chunk: u32) {
        let Some((object, _)) = self.swarm.page().locate(chunk) else {
            return;
        };
        let (url, digest) = (object.url.clone(), object.digest);
        let page = self.swarm.page();
        self.missing.retain(|chunk| {
            page.locate(*chunk)
                .is_none_or(|(object, _)| object.digest != digest)
        });
        if self.given_up.insert(url.clone()) {
            self.plain += 1;
            self.under_way.spawn(load(self.course.site.clone(), url));
        }
    }
}

pub(super) async fn load(site: Site, path: String) -> Done {
    let answer = site.object(&path, OBJECT_MAX).await;
    Done::Plain { path, answer }
}

const OBJECT: &str = "/.flashback/object/";
/// Before a request that broke is made again.
const RETRY: Duration = Duration::from_millis(250);
