//! The visit of a hot page: brings together the exchange, its links, the broker and the way out. It decides nothing; it
//! carries what happened to the one who decides, and does what comes out.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep_until, timeout},
};

use super::{
    audit::{Gauge, Visit},
    carried::Carried,
    circle::Circle,
    fetching::{Done, load},
    link::{Event, LinkId, Terms},
    page::{Hot, Listed},
    settings::Settings,
    site::{Site, SiteError},
    socket::{Broker, Heard},
    way_out::{Hope, WayOut},
};
use crate::{
    broker::signal::{FromBroker, FromVisitor, Report},
    swarm::{Input, Moment, Payload, Rules, Swarm, message::Hello},
};

/// What a visit brings along.
pub(super) struct Course {
    pub(super) site: Site,
    pub(super) terms: Terms,
    pub(super) settings: Settings,
    pub(super) started: Instant,
    pub(super) gauge: Arc<Gauge>,
}

/// A visitor of a hot page.
pub(super) struct Carry {
    pub(super) course: Course,
    pub(super) swarm: Swarm<Carried>,
    pub(super) circle: Circle,
    pub(super) happened: mpsc::Receiver<(LinkId, Event)>,
    pub(super) broker: Option<Broker>,
    pub(super) heard: mpsc::Receiver<Heard>,
    pub(super) way_out: WayOut,
    /// The broker has sent bytes of the page.
    pub(super) seeded: bool,
    pub(super) under_way: JoinSet<Done>,
    /// Chunks that are not here, and not asked of the site.
    pub(super) missing: BTreeSet<u32>,
    /// When the site is asked for the digests that the page left to the neighbours; none if there are none, or it was.
    pub(super) untold: Option<Instant>,
    /// Requests to the way out under way.
    pub(super) ranges: usize,
    /// What is loaded as ever, and under way.
    pub(super) plain: usize,
    /// Objects that neither neighbours nor the way out have any more: loaded by their own URL.
    pub(super) given_up: HashSet<String>,
    pub(super) visit: Visit,
    pub(super) reported: Instant,
    pub(super) complete: Option<Instant>,
    pub(super) failed: Option<SiteError>,
}

impl Carry {
    /// Joins the swarm, and stays until the page is here and the visitor has stayed as long as it wanted. `others` is what
    /// the page refers to besides.
    pub(super) async fn run(
        course: Course,
        hot: &Hot,
        objects: Vec<Listed>,
        others: Vec<String>,
        mut visit: Visit,
    ) -> Result<Visit, SiteError> {
        let (tell, mut heard) = mpsc::channel(HEARD);
        let broker = Broker::join(course.site.clone(), hot.token, tell);
        let mut under_way = JoinSet::new();
        let plain = others.len();
        for path in others {
            under_way.spawn(load(course.site.clone(), path));
        }
        // The exchange begins with a number; without one, everything comes from the site.
        let welcome = timeout(WELCOME, heard.recv()).await;
        let (broker, id, others) = match welcome {
            Ok(Some(Heard::Said(FromBroker::Welcome { id, others }))) => (Some(broker), id, others),
            _ => (None, NOBODY, 0),
        };
        // Joining and being welcomed.
        visit.talk.meeting += if broker.is_some() { 2 } else { 0 };
        visit.id = broker.is_some().then_some(id);
        let page = Carried::new(objects);
        let (circle, happened) = Circle::new(id, course.terms.clone());
        let (now, hello) = (Instant::now(), Hello { room: hot.room, id });
        let random = SmallRng::from_rng(&mut rand::rng());
        let rules = Rules {
            lan: hot.lan,
            ..Rules::default()
        };
        let joined = Self {
            way_out: WayOut::new(rand::rng().random(), now),
            missing: (0..page.chunks()).collect(),
            untold: (!page.sealed().is_empty())
                .then(|| now + if others > 0 { rules.untold } else { Duration::ZERO }),
            seeded: false,
            swarm: Swarm::new(page, hello, rules, random, moment(course.started, now)),
            circle,
            happened,
            broker,
            heard,
            under_way,
            ranges: 0,
            plain,
            given_up: HashSet::new(),
            visit,
            reported: now,
            complete: None,
            failed: None,
            course,
        };
        joined.stay().await
    }

    async fn stay(mut self) -> Result<Visit, SiteError> {
        loop {
            self.obey();
            self.give();
            self.ask_lists();
            self.ask_site();
            self.look();
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self
                .complete
                .is_some_and(|at| Instant::now() >= at + self.course.settings.dwell)
            {
                return Ok(self.leave());
            }
            self.wait().await;
        }
    }

    /// Waits until something happens, or is due.
    async fn wait(&mut self) {
        let wake = self.wake();
        let up = Arc::clone(&self.course.terms.up);
        tokio::select! {
            Some((id, event)) = self.happened.recv() => self.linked(id, event),
            Some(heard) = self.heard.recv() => self.hear(heard),
            Some(done) = self.under_way.join_next() => self.done(done),
            () = up.eases() => {}
            () = sleep_until(wake.into()) => {}
        }
        self.tick();
    }

    /// When it looks again, if nothing happens.
    fn wake(&self) -> Instant {
        let now = Instant::now();
        let due = self.course.started + Duration::from_micros(self.swarm.deadline().micros());
        let mut wake = due.min(self.reported + REPORT);
        if let Some(complete) = self.complete {
            wake = wake.min(complete + self.course.settings.dwell);
        } else if self.ranges == 0 && self.askable().next().is_some() {
            wake = wake.min(self.way_out.wake(self.hope()));
        }
        if self.swarm.lacks_digests() {
            wake = wake.min(self.untold.unwrap_or(wake));
        }
        if let Some(free) = self.course.terms.up.pace.busy(now) {
            wake = wake.min(free);
        }
        wake
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if self.now() >= self.swarm.deadline() {
            self.input(Input::Tick);
        }
        if now >= self.reported + REPORT {
            self.reported = now;
            self.report();
        }
    }

    pub(super) fn hope(&self) -> Hope {
        Hope {
            broker: self.broker.is_some(),
            seeds: self.seeded,
            links: self.circle.open(),
            opening: self.circle.opening(),
        }
    }

    pub(super) fn now(&self) -> Moment {
        moment(self.course.started, Instant::now())
    }

    pub(super) fn input(&mut self, input: Input) {
        let now = self.now();
        self.swarm.handle(input, now);
    }

    pub(super) fn say(&mut self, message: &FromVisitor) {
        if let Some(broker) = &self.broker {
            self.visit.says(message);
            broker.say(message);
        }
    }

    /// Looks whether the page is here.
    fn look(&mut self) {
        self.course.gauge.site(self.course.site.received());
        if self.complete.is_none() && self.missing.is_empty() && self.ranges == 0 && self.plain == 0 {
            let now = Instant::now();
            self.complete = Some(now);
            self.visit.took = now - self.course.started;
            self.course.gauge.completed();
            self.report();
        }
    }

    pub(super) fn report(&mut self) {
        let links = self.circle.open();
        self.say(&FromVisitor::Report(Report {
            origin: self.visit.got - self.visit.peer,
            peer: self.visit.peer,
            given: self.visit.given,
            links: links.try_into().unwrap_or(u8::MAX),
        }));
    }

    fn leave(mut self) -> Visit {
        self.report();
        for (object, bytes) in self.swarm.page().objects() {
            if let Some(bytes) = bytes.filter(|_| !self.given_up.contains(&object.url)) {
                self.visit.arrived(&object.url, &bytes);
            }
        }
        self.visit.site = self.course.site.received();
        self.visit
    }
}

fn moment(started: Instant, now: Instant) -> Moment {
    Moment::from_micros((now - started).as_micros() as u64)
}

/// Numbers of visitors begin at 1.
const NOBODY: u32 = 0;
/// Messages of the broker that wait for the visitor.
const HEARD: usize = 64;
/// For the broker's first word: a page that waits for longer is worse off with us.
const WELCOME: Duration = Duration::from_secs(3);
/// How seldom the broker is told what was got and given.
const REPORT: Duration = Duration::from_secs(2);
