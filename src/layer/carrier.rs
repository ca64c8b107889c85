//! What all services of one `Flashback` share: the detector, the store, the hot pages and the counts. It asks the
//! detector, opens and closes pages as crowds come and go, and says which way a request takes.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Once,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::SystemTime,
};

use coarsetime::Instant;
use http::{Extensions, HeaderMap, Method, Uri, header};
use tokio::sync::broadcast;

use super::{
    Depth, Settings, address,
    introducer::Introducer,
    notice::Notice,
    pages::{HotPage, Pages, referring_page},
    tally::Tally,
};
use crate::{
    content::{Page, Store},
    crowd::{Change, Crowds, ForceError, Key, Mode, Pressure, Rule, Sighting, State, Time},
    telemetry::Event,
    unit::BitRate,
};

/// Shared by all clones of a layer and its services.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) crowds: Crowds,
    pub(crate) store: Store,
    pub(crate) pages: Pages,
    pub(crate) tally: Tally,
    pub(crate) settings: Settings,
    /// What visitors are told, where the site wants it.
    pub(crate) notice: Option<Notice>,
    pub(crate) introducer: Arc<dyn Introducer>,
    events: broadcast::Sender<Event>,
    /// Time zero of the detector, and the wall clock then: durations come from the monotonic clock alone.
    started: (Instant, SystemTime),
    no_address: Once,
    /// Set by `drain`: nothing is carried any more.
    closed: AtomicBool,
    /// What the operator said of the origin's link.
    pub(crate) pressure: Pressure,
}

/// Which way a request takes.
pub(super) enum Route {
    /// Straight to the inner service, untouched.
    Calm,
    /// A hot page: given the script.
    Page(Visit),
    /// An object of a hot page: fetched once, served from memory.
    Object(Part),
}

/// A request for a hot page.
pub(super) struct Visit {
    pub(super) page: Arc<HotPage>,
    pub(super) depth: Depth,
    pub(super) host: String,
    pub(super) visitor: IpAddr,
}

/// A request for an object of a hot page.
pub(super) struct Part {
    pub(super) page: Arc<HotPage>,
    pub(super) host: String,
}

impl Carrier {
    pub(crate) fn new(
        crowds: Crowds,
        (settings, notice): (Settings, Option<Notice>),
        store: Store,
        introducer: Arc<dyn Introducer>,
        started: (Instant, SystemTime),
    ) -> Self {
        let (events, _) = broadcast::channel(EVENTS);
        Self {
            crowds,
            store,
            pages: Pages::default(),
            tally: Tally::default(),
            settings,
            notice,
            introducer,
            events,
            started,
            no_address: Once::new(),
            closed: AtomicBool::new(false),
            pressure: Pressure::default(),
        }
    }

    /// Carries only what weighs on this uplink.
    pub(crate) fn over(mut self, uplink: Option<BitRate>) -> Self {
        let engage_at = self.settings.engage_at;
        self.pressure = Pressure { uplink, engage_at };
        self
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// The detector's time.
    pub(crate) fn now(&self) -> Time {
        (Instant::now_without_cache_update() - self.started.0).into()
    }

    /// The wall clock at a time of the detector's.
    pub(crate) fn wall(&self, at: Time) -> SystemTime {
        self.started.1 + at
    }

    /// Counts a GET or HEAD request and decides its way. A calm site costs the detector and one atomic load.
    pub(super) fn route(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Route {
        let host = host_of(uri, headers);
        let visitor = self.visitor(extensions);
        let sighting = Sighting {
            host,
            path: uri.path(),
            query: uri.query(),
            client: visitor,
            referrer: headers.get(header::REFERER).and_then(|value| value.to_str().ok()),
        };
        let state = self.crowds.observe(self.now(), &sighting);
        self.tally.request(state);
        self.settle();
        if !self.pages.any() || self.closed.load(Relaxed) {
            return Route::Calm;
        }
        if let Some(page) = (state != State::Calm)
            .then(|| self.pages.get(&self.crowds.key(host, uri.path(), uri.query())))
            .flatten()
        {
            let depth = self.settings.depth_at(uri.path());
            if depth != Depth::Off && wants_document(headers) {
                return Route::Page(Visit {
                    page,
                    depth,
                    host: host.to_owned(),
                    visitor,
                });
            }
            if *method == Method::GET && depth != Depth::Off {
                // A crowd makes its page's pictures as hot as the page; they belong to it all the same.
                let own = || Part {
                    page,
                    host: host.to_owned(),
                };
                return Route::Object(self.part_of(uri, headers, &sighting).unwrap_or_else(own));
            }
            return Route::Calm;
        }
        if *method != Method::GET {
            return Route::Calm;
        }
        self.part_of(uri, headers, &sighting)
            .map_or(Route::Calm, Route::Object)
    }

    /// The hot page that the request's object belongs to.
    fn part_of(&self, uri: &Uri, headers: &HeaderMap, sighting: &Sighting<'_>) -> Option<Part> {
        let referring = referring_page(headers, sighting.host)
            .map(|url| self.crowds.key(sighting.host, url.path(), url.query()));
        let path_and_query = uri.path_and_query().map_or(uri.path(), |whole| whole.as_str());
        // A page that merely links to another page does not own it.
        if wants_document(headers) {
            return None;
        }
        let page = self
            .pages
            .owner(sighting.host, path_and_query, referring.as_ref())?;
        let depth = self.settings.depth_at(page.key.path());
        (depth != Depth::Off).then(|| Part {
            page,
            host: sighting.host.to_owned(),
        })
    }

    /// The visitor's address. Without one, all requests count as one client's, and no crowd is ever seen.
    pub(super) fn visitor(&self, extensions: &Extensions) -> IpAddr {
        address::visitor(extensions).unwrap_or_else(|| {
            self.no_address.call_once(|| {
                tracing::warn!(
                    "requests carry no client address, so no crowd can be seen: serve with \
                     into_make_service_with_connect_info::<SocketAddr>(), or insert tower_flashback::layer::PeerAddr"
                );
            });
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        })
    }

    /// The operator's word on a URL.
    pub(crate) fn force(&self, host: Option<&str>, path: &str, mode: Mode) -> Result<(), ForceError> {
        self.crowds.force(self.now(), host, path, mode)?;
        self.settle();
        Ok(())
    }

    /// About once a second: lets crowds cool, and publishes the counts.
    pub(crate) fn tick(&self) {
        self.crowds.tick(self.now());
        self.settle();
        self.weigh();
        self.publish();
    }

    /// Decides which hot pages are heavy enough to be carried. Without a known uplink all are.
    fn weigh(&self) {
        if self.pressure.uplink.is_none() {
            return;
        }
        for crowd in self.crowds.crowds(self.now()) {
            if let Some(page) = self.pages.get(&crowd.key) {
                let ordered = crowd.rule == Rule::Manual;
                page.weigh(&self.pressure, crowd.rate, ordered);
            }
        }
    }

    /// Hands the counts to the metrics recorder, if the application has installed one.
    pub(crate) fn publish(&self) {
        self.tally.publish(self.pages.len(), self.introducer.peer_bytes());
    }

    /// Ends the carrying: visitors are told to leave, and every later response is the inner service's own.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
        for page in self.pages.all() {
            self.end(&page.key);
        }
    }

    /// Opens and closes pages as the detector has decided.
    #[inline]
    fn settle(&self) {
        if self.crowds.has_changed() {
            self.apply_all();
        }
    }

    #[cold]
    fn apply_all(&self) {
        for change in self.crowds.changes() {
            self.apply(&change);
        }
    }

    fn apply(&self, change: &Change) {
        match change.to {
            State::Hot | State::Cooling if !change.key.is_site() && !self.closed.load(Relaxed) => {
                let unweighed = self.pressure.uplink.is_none();
                self.pages.open(
                    &change.key,
                    Page::new(self.store.settings()),
                    change.rate,
                    unweighed,
                );
            }
            State::Calm => self.end(&change.key),
            _ => {}
        }
        tracing::info!(
            key = %change.key, from = change.from.as_str(), to = change.to.as_str(), rule = change.rule.as_str(),
            scale_s = change.scale.as_secs_f64(), rate = change.rate, average = change.average,
            audience = change.audience, "crowd"
        );
        self.tally.change(change);
        // No receiver is no fault.
        let _ = self.events.send(Event::of(change, self.wall(change.at)));
    }

    fn end(&self, key: &Key) {
        if let Some(page) = self.pages.close(key) {
            page.close_room(&*self.introducer);
        }
    }
}

/// A navigation: what a person opens, rather than what a page loads.
fn wants_document(headers: &HeaderMap) -> bool {
    match headers.get("sec-fetch-dest") {
        Some(dest) => dest == "document",
        None => headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html")),
    }
}

/// The host that the request names: HTTP/2's authority, else the Host header.
fn host_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    uri.authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| headers.get(header::HOST)?.to_str().ok())
        .unwrap_or_default()
}

/// Events that a slow receiver may lag behind: a crowd changes state a handful of times an hour.
const EVENTS: usize = 256;
