//! A page as it came: what it refers to, and, while it is hot, what the site says about carrying it (`docs/protocol.md`,
//! "In the page"). Read once, bounded, and never trusted further than its digests.

use std::{cell::RefCell, collections::HashSet};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use lol_html::{RewriteStrSettings, element, rewrite_str, text};
use serde::Deserialize;
use url::Url;

use crate::{
    broker::signal::TOKEN,
    content::{CHUNK, DIGEST, Digest, RoomId, chunks_of},
};

/// What a page tells whoever loads it.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Paths of the site that a browser would load with it, each once.
    pub(super) references: Vec<String>,
    /// None while it is calm.
    pub(super) hot: Option<Hot>,
}

/// What the site says about carrying the page.
#[derive(Debug)]
pub(super) struct Hot {
    pub(super) room: RoomId,
    pub(super) token: [u8; TOKEN],
    /// Whether addresses of private networks may be told and tried.
    pub(super) lan: bool,
    /// A `stun:` URL.
    pub(super) stun: Option<String>,
    /// In the order of their chunks, without overlap.
    pub(super) objects: Vec<Listed>,
}

/// An object of the manifest.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) url: String,
    pub(super) length: u64,
    pub(super) first: u32,
    pub(super) digest: Digest,
    /// None where the list is to be fetched.
    pub(super) chunks: Option<Vec<Digest>>,
}

impl Page {
    /// Reads a page that came from `url`. What is no page of ours is calm.
    pub(super) fn read(html: &str, url: &Url) -> Self {
        let (json, found) = (RefCell::new(String::new()), RefCell::new(References::default()));
        let add = |element: &lol_html::html_content::Element<'_, '_>, attribute: &str| {
            if let Some(path) = element.get_attribute(attribute) {
                found.borrow_mut().add(&path, url);
            }
        };
        let settings = RewriteStrSettings::new()
            .append_element_content_handler(text!("script#flashback-page", |part| {
                json.borrow_mut().push_str(part.as_str());
                Ok(())
            }))
            .append_element_content_handler(element!("img, script, audio, video, source", |element| {
                add(element, "src");
                add(element, "poster");
                Ok(())
            }))
            .append_element_content_handler(element!("link[rel~=stylesheet], link[rel~=icon]", |element| {
                add(element, "href");
                Ok(())
            }));
        // What the parser refuses is a page all the same: a browser would show something of it.
        let _ = rewrite_str(html, settings);
        Self {
            hot: Hot::read(&json.into_inner(), url),
            references: found.into_inner().ordered,
        }
    }
}

/// The JSON as it stands in the page.
#[derive(Deserialize)]
struct Json {
    v: u8,
    room: String,
    token: String,
    #[serde(default)]
    lan: bool,
    stun: Option<Stun>,
    objects: Vec<JsonObject>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stun {
    Port(u16),
    Url(String),
}

#[derive(Deserialize)]
struct JsonObject {
    url: String,
    length: u64,
    first: u32,
    digest: Digest,
    chunks: Option<String>,
}

impl Hot {
    fn read(json: &str, page: &Url) -> Option<Self> {
        let json: Json = serde_json::from_str(json)
            .ok()
            .filter(|json: &Json| json.v == 1)?;
        let mut objects: Vec<_> = json
            .objects
            .into_iter()
            .map(Listed::read)
            .collect::<Option<_>>()?;
        objects.sort_by_key(|object| object.first);
        let apart = objects
            .windows(2)
            .all(|pair| pair[0].end() <= u64::from(pair[1].first));
        let bounded = objects.last().is_none_or(|last| last.end() <= CHUNKS_MAX);
        (apart && bounded).then_some(())?;
        Some(Self {
            room: room(&json.room)?,
            token: URL_SAFE_NO_PAD.decode(json.token).ok()?.try_into().ok()?,
            lan: json.lan,
            stun: json.stun.and_then(|stun| match stun {
                Stun::Port(port) => Some(format!("stun:{}:{port}", page.host_str()?)),
                Stun::Url(url) => Some(url),
            }),
            objects,
        })
    }
}

fn room(text: &str) -> Option<RoomId> {
    let number = u64::from_str_radix(text, 16).ok()?;
    (text.len() == 16).then(|| RoomId(number.to_be_bytes()))
}

impl Listed {
    fn read(json: JsonObject) -> Option<Self> {
        let mut object = Self {
            url: json.url,
            length: json.length,
            first: json.first,
            digest: json.digest,
            chunks: None,
        };
        (object.length > 0 && object.end() <= CHUNKS_MAX).then_some(())?;
        if let Some(list) = json.chunks {
            object.learn(&STANDARD.decode(list).ok()?).then_some(())?;
        }
        Some(object)
    }

    /// Takes the list of its chunks' digests. False if it is not the list that its own digest names.
    pub(super) fn learn(&mut self, list: &[u8]) -> bool {
        let (digests, rest) = list.as_chunks::<DIGEST>();
        let digests: Vec<_> = digests.iter().map(|digest| Digest(*digest)).collect();
        let right = rest.is_empty()
            && digests.len() as u64 == chunks_of(self.length)
            && Digest::of_digests(digests.iter().copied()) == self.digest;
        if right {
            self.chunks = Some(digests);
        }
        right
    }

    /// One past the number of its last chunk.
    pub(super) fn end(&self) -> u64 {
        u64::from(self.first) + chunks_of(self.length)
    }

    /// The bytes of the object that a chunk is.
    pub(super) fn bytes_of(&self, chunk: u32) -> std::ops::Range<u64> {
        let from = u64::from(chunk.saturating_sub(self.first)) * CHUNK as u64;
        from..(from + CHUNK as u64).min(self.length)
    }
}

#[derive(Default)]
struct References {
    ordered: Vec<String>,
    known: HashSet<String>,
}

impl References {
    fn add(&mut self, reference: &str, page: &Url) {
        let Ok(url) = page.join(reference.trim()) else {
            return;
        };
        if url.origin() != page.origin() || self.ordered.len() >= REFERENCES_MAX {
            return;
        }
        let path = url.query().map_or_else(
            || url.path().to_owned(),
            |query| format!("{}?{query}", url.path()),
        );
        if self.known.insert(path.clone()) {
            self.ordered.push(path);
        }
    }
}

/// Pages with more are rare, and a rehearsal is about the heavy ones among them.
const REFERENCES_MAX: usize = 256;
/// What the wire can number.
const CHUNKS_MAX: u64 = 1 << 24;
