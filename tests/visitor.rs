//! Native visitors of a page behind the layer, in process and over real WebRTC: a crowd, a liar, a broker that dies, a
//! page that is calm.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use http::{Request, header};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{interval, timeout},
};
use tower::{Layer, ServiceExt, util::MapRequest};
use tower_flashback::{
    Flashback, Settings,
    content::Digest,
    proxy::{Server, config::ServerSettings},
    visitor::{self, Conduct, Gauge, Visit, Visitor},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_carries_the_page() {
    let site = Site::open().await;
    site.heat().await;
    let crowd = Crowd::of(&site, 8, |_| honest());
    let watch = Watch::over(&crowd);
    let visits = crowd.all().await;
    watch.end().await;
    for visit in &visits {
        site.is_whole(visit);
        assert!(visit.hot, "{visit:?}");
        assert_eq!((visit.law3_violations, visit.wrong_bytes), (0, 0), "{visit:?}");
        assert!(visit.given <= visit.got, "{visit:?}");
        // On a busy machine one may seem to take and not give; nothing else is anybody's fault.
        assert!(visit.faults.keys().all(|fault| *fault == "taker"), "{visit:?}");
    }
    let peer: u64 = visits.iter().map(|visit| visit.peer).sum();
    let got: u64 = visits.iter().map(|visit| visit.got).sum();
    let given: u64 = visits.iter().map(|visit| visit.given).sum();
    assert_eq!(got, 8 * site.bytes());
    // The origin is as near as the neighbours and as idle as they are: it takes its share, however fast they are.
    assert!(peer * 10 > got, "only {peer} of {got} bytes came from neighbours");
    assert!(
        given >= peer,
        "{peer} bytes came from neighbours that gave {given}"
    );
    for (path, fetches) in site.fetches() {
        assert_eq!(fetches, 1, "the origin was asked for {path} more than once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digests_that_the_page_leaves_out_are_told_by_neighbours() {
    let site = Site::with(|settings| settings.carry.list_digests_below = 1).await;
    site.heat().await;
    // The first is told them in its page, and stays.
    let first = Crowd::of(&site, 1, |_| {
        let mut settings = honest();
        settings.dwell = Duration::from_secs(60);
        settings
    });
    timeout(PATIENCE, complete(&first.gauges[0]))
        .await
        .expect("the first lacks the page");
    let visits = Crowd::from(&site, 2..6, |_| honest()).all().await;
    for visit in &visits {
        site.is_whole(visit);
        assert!(visit.peer > 0, "{visit:?}");
        assert_eq!((visit.law3_violations, visit.wrong_bytes), (0, 0), "{visit:?}");
    }
    // A seed that waited for its digests is the origin's, whoever told them.
    let peer: u64 = visits.iter().map(|visit| visit.peer).sum();
    let given: u64 = visits.iter().map(|visit| visit.given).sum();
    let given = given + first.gauges[0].sample().given;
    assert!(
        peer <= given,
        "{peer} bytes came from neighbours that gave {given}"
    );
    assert_eq!(site.lists.load(Ordering::Relaxed), 0, "neighbours told nothing");
    first.visits.iter().for_each(JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digests_that_nobody_tells_are_fetched() {
    let site = Site::with(|settings| settings.carry.list_digests_below = 0).await;
    site.heat().await;
    for visit in Crowd::of(&site, 3, |_| honest()).all().await {
        site.is_whole(&visit);
        assert_eq!((visit.law3_violations, visit.wrong_bytes), (0, 0), "{visit:?}");
    }
    assert!(site.lists.load(Ordering::Relaxed) > 0, "who told the first?");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_liar_is_dropped_and_nobody_shows_its_bytes() {
    let site = Site::open().await;
    site.heat().await;
    let crowd = Crowd::of(&site, 6, |number| {
        let mut settings = honest();
        if number == 0 {
            settings.conduct = Conduct::Liar;
            settings.dwell = Duration::from_secs(30);
        }
        settings
    });
    let honest = crowd.but_for_the_first().await;
    let mut dropped = 0;
    for visit in &honest {
        site.is_whole(visit);
        assert_eq!((visit.law3_violations, visit.wrong_bytes), (0, 0), "{visit:?}");
        dropped += visit.faults.get("digest").copied().unwrap_or_default();
    }
    assert!(dropped > 0, "nobody met the liar: {honest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_free_rider_keeps_nobody_from_the_page() {
    let site = Site::open().await;
    site.heat().await;
    let crowd = Crowd::of(&site, 4, |number| {
        let mut settings = honest();
        if number == 0 {
            settings.conduct = Conduct::FreeRider;
        }
        settings
    });
    let visits = crowd.all().await;
    visits.iter().for_each(|visit| site.is_whole(visit));
    assert_eq!(visits[0].given, 0, "{visits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_dies_and_everybody_gets_the_page() {
    let site = Site::open().await;
    site.heat().await;
    let crowd = Crowd::of(&site, 6, |_| {
        let mut settings = honest();
        // Slow enough that nobody has the page when the sockets break.
        settings.down = Some("8mbit".parse().unwrap());
        settings
    });
    let gauges = crowd.gauges.clone();
    timeout(PATIENCE, linked(&gauges))
        .await
        .expect("nobody met anybody");
    assert!(
        gauges.iter().all(|gauge| !gauge.sample().complete),
        "too fast to be disturbed"
    );
    // All sockets are closed, and no new one is opened; HTTP is answered still.
    site.flashback.drain().await;
    for visit in crowd.all().await {
        site.is_whole(&visit);
        assert_eq!((visit.law3_violations, visit.wrong_bytes), (0, 0), "{visit:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calm_page_is_an_ordinary_page() {
    let site = Site::open().await;
    let visits = Crowd::of(&site, 2, |_| honest()).all().await;
    for visit in visits {
        assert!(!visit.hot);
        site.is_whole(&visit);
        assert_eq!((visit.got, visit.given, visit.peer), (0, 0, 0));
    }
}

#[tokio::test]
async fn who_cannot_have_the_page_says_why() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = taken.local_addr().unwrap();
    drop(taken);
    let site = Site::open().await;
    for (url, named) in [
        (format!("http://{nobody}/"), "refused"),
        (format!("http://{}/nowhere", site.address), "404"),
        ("ftp://127.0.0.1/".to_owned(), "ftp"),
    ] {
        let error = Visitor::new(url.parse().unwrap(), honest())
            .visit()
            .await
            .unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}

/// A site behind the layer, with pictures that are worth carrying.
struct Site {
    address: SocketAddr,
    flashback: Flashback,
    asked: Asked,
    /// How often digests were asked for over HTTP.
    lists: Arc<AtomicU32>,
    serving: JoinHandle<()>,
}

/// How often the origin was asked for each path.
type Asked = Arc<Mutex<BTreeMap<String, u32>>>;

impl Site {
    async fn open() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        settings.broker.lan_candidates = true;
        change(&mut settings);
        let flashback = Flashback::builder().settings(settings).build().unwrap();
        let mut at = ServerSettings::default();
        at.listen = (Ipv4Addr::LOCALHOST, 0).into();
        let server = Server::bind(&at).await.unwrap();
        let asked = Arc::default();
        let carried = flashback.layer().layer(origin(Arc::clone(&asked)));
        let lists = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&lists);
        let service = MapRequest::new(carried, move |request: Request<Body>| {
            let is_list = request.uri().path().starts_with("/.flashback/digests/");
            counted.fetch_add(is_list.into(), Ordering::Relaxed);
            request
        });
        let address = server.local_addr().unwrap();
        Self {
            address,
            asked,
            lists,
            serving: tokio::spawn(async move {
                let _ = server.serve(service, std::future::pending()).await;
            }),
            flashback,
        }
    }

    fn url(&self) -> url::Url {
        format!("http://{}/", self.address).parse().unwrap()
    }

    /// Makes the page hot, and has one visitor fetch what it refers to, so that the next find a manifest.
    async fn heat(&self) {
        let order = format!("{{\"url\":\"{}\",\"mode\":\"hot\"}}", self.url());
        let request = Request::post("/crowd").body(Body::from(order)).unwrap();
        let answer = self.flashback.admin().oneshot(request).await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        let first = Visitor::new(self.url(), honest()).visit().await.unwrap();
        self.is_whole(&first);
    }

    fn bytes(&self) -> u64 {
        (0..PICTURES).map(|number| picture(number).len() as u64).sum()
    }

    fn is_whole(&self, visit: &Visit) {
        for number in 0..PICTURES {
            let (path, bytes) = (format!("/{number}.jpg"), picture(number));
            let found = visit.objects.iter().find(|object| object.url == path);
            let found = found.unwrap_or_else(|| panic!("{path} is missing: {visit:?}"));
            assert_eq!(
                (found.length, found.digest),
                (bytes.len() as u64, Digest::of(&bytes)),
                "{path}"
            );
        }
    }

    fn fetches(&self) -> BTreeMap<String, u32> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Visitors under way, each from an address of its own.
struct Crowd {
    visits: Vec<JoinHandle<Visit>>,
    gauges: Vec<Arc<Gauge>>,
}

impl Crowd {
    fn of(site: &Site, count: u8, settings: impl Fn(u8) -> visitor::Settings) -> Self {
        Self::from(site, 0..count, settings)
    }

    /// With these numbers.
    fn from(site: &Site, numbers: Range<u8>, settings: impl Fn(u8) -> visitor::Settings) -> Self {
        let visitors: Vec<_> = numbers
            .map(|number| {
                let mut settings = settings(number);
                settings.address = Some(Ipv4Addr::new(127, 0, 9, number + 1).into());
                Visitor::new(site.url(), settings)
            })
            .collect();
        Self {
            gauges: visitors.iter().map(Visitor::gauge).collect(),
            visits: visitors
                .into_iter()
                .map(|visitor| tokio::spawn(async { visitor.visit().await.unwrap() }))
                .collect(),
        }
    }

    async fn all(self) -> Vec<Visit> {
        let mut ended = Vec::new();
        for visit in self.visits {
            let Ok(visit) = timeout(PATIENCE, visit).await else {
                let samples: Vec<_> = self.gauges.iter().map(|gauge| gauge.sample()).collect();
                panic!("it does not end: {samples:#?}");
            };
            ended.push(visit.unwrap());
        }
        ended
    }

    async fn but_for_the_first(mut self) -> Vec<Visit> {
        let first = self.visits.remove(0);
        let rest = self.all().await;
        first.abort();
        rest
    }
}

/// Looks at every visitor all the time: law 3 holds at every instant, not only in the end.
struct Watch {
    stop: oneshot::Sender<()>,
    looking: JoinHandle<u64>,
}

impl Watch {
    fn over(crowd: &Crowd) -> Self {
        let gauges = crowd.gauges.clone();
        let (stop, mut stopped) = oneshot::channel();
        let looking = tokio::spawn(async move {
            let (mut tick, mut looks) = (interval(Duration::from_millis(1)), 0);
            while stopped.try_recv().is_err() {
                tick.tick().await;
                for sample in gauges.iter().map(|gauge| gauge.sample()) {
                    assert!(sample.given <= sample.got, "law 3: {sample:?}");
                }
                looks += 1;
            }
            looks
        });
        Self { stop, looking }
    }

    async fn end(self) {
        let _ = self.stop.send(());
        assert!(self.looking.await.unwrap() > 10, "nobody looked");
    }
}

/// Resolves when the visitor has its page.
async fn complete(gauge: &Gauge) {
    let mut tick = interval(Duration::from_millis(1));
    while !gauge.sample().complete {
        tick.tick().await;
    }
}

/// Resolves when every visitor has a link.
async fn linked(gauges: &[Arc<Gauge>]) {
    let mut tick = interval(Duration::from_millis(1));
    while gauges.iter().any(|gauge| gauge.sample().links == 0) {
        tick.tick().await;
    }
}

fn honest() -> visitor::Settings {
    visitor::Settings::default()
}

/// 130 KB each, no two alike, and the last chunk of each is short.
fn picture(number: u32) -> Bytes {
    (0..130_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13).wrapping_add(number * 97) as u8)
        .collect()
}

fn origin(asked: Asked) -> Router {
    let images: String = (0..PICTURES)
        .map(|number| format!("<img src=/{number}.jpg>"))
        .collect();
    let page = format!("<!doctype html><html><head><title>A page</title></head><body>{images}</body></html>");
    let document = get(async move || ([FRESH, (header::CONTENT_TYPE, "text/html")], page));
    (0..PICTURES).fold(Router::new().route("/", document), |router, number| {
        let (asked, path) = (Arc::clone(&asked), format!("/{number}.jpg"));
        let counted = path.clone();
        let image = get(async move || {
            *asked.lock().unwrap().entry(counted).or_default() += 1;
            ([FRESH, (header::CONTENT_TYPE, "image/jpeg")], picture(number))
        });
        router.route(&path, image)
    })
}

const FRESH: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=600");
const PICTURES: u32 = 5;
/// Far beyond what a busy machine needs: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
