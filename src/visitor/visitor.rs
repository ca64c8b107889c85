//! A visit from its first packet to its last: the navigation, what the page refers to, and, while it is hot, its objects
//! through the swarm.

use std::{
    collections::{HashSet, VecDeque},
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Instant,
};

use http::HeaderValue;
use tokio::{task::JoinSet, time::sleep};
use url::Url;

use super::{
    audit::{Gauge, Visit},
    carry::{Carry, Course},
    link::Terms,
    pace::Pace,
    page::{Hot, Listed, Page, read_list},
    settings::Settings,
    site::{Site, SiteError},
    uplink::Uplink,
};
use crate::content::Digest;

/// One visitor of one page. Whoever drops its visit ends it: tasks, links and sockets go with it.
///
/// It needs a Tokio runtime.
#[derive(Debug)]
pub struct Visitor {
    url: Url,
    settings: Settings,
    gauge: Arc<Gauge>,
}

impl Visitor {
    /// A visitor that has not come yet.
    #[must_use]
    pub fn new(url: Url, settings: Settings) -> Self {
        Self {
            url,
            settings,
            gauge: Arc::default(),
        }
    }

    /// How the visit goes, for whoever looks on.
    #[must_use]
    pub fn gauge(&self) -> Arc<Gauge> {
        Arc::clone(&self.gauge)
    }

    /// Loads the page, stays as long as the settings say, and leaves.
    ///
    /// # Errors
    /// The page, or something that it refers to, cannot be had from the site itself.
    pub async fn visit(self) -> Result<Visit, SiteError> {
        let Self { url, settings, gauge } = self;
        let started = Instant::now();
        let (up, down) = (
            Arc::new(Uplink::new(Pace::new(settings.up, started))),
            Arc::new(Pace::new(settings.down, started)),
        );
        let site = Site::new(url, settings.address, Arc::clone(&down), agent(&settings))?;
        let answer = site.navigate().await?;
        let page = Page::read(&String::from_utf8_lossy(&answer.body), site.page());
        let mut visit = Visit {
            hot: page.hot.is_some(),
            ..Visit::default()
        };
        gauge.arrived(visit.hot);
        gauge.site(site.received());
        let Page { references, hot } = page;
        let hot = match hot {
            Some(hot) if !hot.objects.is_empty() => hot,
            _ => {
                load(&site, references, &mut visit, &gauge).await?;
                visit.took = started.elapsed();
                gauge.site(site.received());
                gauge.completed();
                sleep(settings.dwell).await;
                visit.site = site.received();
                return Ok(visit);
            }
        };
        let address = match settings.address {
            Some(address) => address,
            None => own_address(site.page()).await?,
        };
        let terms = Terms {
            address,
            // A visitor on the site's own machine has no other address to learn.
            stun: hot.stun.clone().filter(|_| !address.is_loopback()),
            up,
            down,
        };
        let course = Course {
            site: site.clone(),
            terms,
            settings,
            started,
            gauge,
        };
        let (carried, others) = split(&site, references, &hot).await;
        Carry::run(course, &hot, carried, others, visit).await
    }
}

/// What an object of the page is by the site's own answer, without the swarm.
pub(super) async fn digest(page: &Url, settings: &Settings, path: &str) -> Result<Digest, SiteError> {
    let unpaced = Arc::new(Pace::new(None, Instant::now()));
    let site = Site::new(page.clone(), settings.address, unpaced, agent(settings))?;
    let answer = site.object(path, OBJECT_MAX).await?;
    if answer.status.is_success() {
        Ok(Digest::of(&answer.body))
    } else {
        let (url, status) = (path.to_owned(), answer.status);
        Err(SiteError::Status { url, status })
    }
}

fn agent(settings: &Settings) -> HeaderValue {
    HeaderValue::from_str(&settings.agent).unwrap_or_else(|_| HeaderValue::from_static("flashback"))
}

/// Fetches what a page refers to, as many at a time as a browser does.
async fn load(
    site: &Site,
    references: Vec<String>,
    visit: &mut Visit,
    gauge: &Gauge,
) -> Result<(), SiteError> {
    let (mut waiting, mut loading) = (VecDeque::from(references), JoinSet::new());
    loop {
        while loading.len() < AT_A_TIME
            && let Some(path) = waiting.pop_front()
        {
            let site = site.clone();
            loading.spawn(async move { (site.object(&path, OBJECT_MAX).await, path) });
        }
        let loaded = loading.join_next().await;
        gauge.site(site.received());
        match loaded {
            Some(Ok((answer, path))) => {
                match answer {
                    // A picture that is not there is the site's own affair; a browser shows the rest.
                    Ok(answer) if !answer.status.is_success() => {}
                    Ok(answer) => visit.arrived(&path, &answer.body),
                    // A film: it is watched in parts, by those who stay.
                    Err(SiteError::Long { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(_)) => {}
            None => return Ok(()),
        }
    }
}

/// The objects that go through the swarm, their digest lists fetched where they are longer than neighbours tell; and what else the
/// page refers to, or cannot be verified, which is loaded as ever.
async fn split(site: &Site, references: Vec<String>, hot: &Hot) -> (Vec<Listed>, Vec<String>) {
    let (mut carried, mut others) = (Vec::new(), Vec::new());
    for object in hot
        .objects
        .iter()
        .filter(|object| object.is_loaded_by(&references))
    {
        let mut object = object.clone();
        if object.chunks.is_none() && !object.is_told_by_neighbours() {
            let path = object.list_path();
            let list = site.object(&path, OBJECT_MAX).await;
            let known =
                list.is_ok_and(|list| list.status.is_success() && object.learn(read_list(&list.body)));
            if !known {
                others.push(object.url);
                continue;
            }
        }
        carried.push(object);
    }
    let listed: HashSet<_> = carried.iter().map(|object| object.url.as_str()).collect();
    others.extend(
        references
            .into_iter()
            .filter(|path| !listed.contains(path.as_str()) && !path.starts_with(WORKER)),
    );
    // The script has a browser fetch it, whatever the page refers to.
    others.push(WORKER.to_owned());
    (carried, others)
}

/// The address from which the site is reached, and so the one to offer to neighbours. Connecting a UDP socket asks the
/// system for its route, and sends nothing.
async fn own_address(page: &Url) -> Result<IpAddr, SiteError> {
    let broken = |reason: String| SiteError::Broken {
        url: page.to_string(),
        reason,
    };
    let host = page.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = page.port_or_known_default().unwrap_or(80);
    let found = tokio::net::lookup_host((host, port)).await;
    let site = found
        .map_err(|error| broken(error.to_string()))?
        .next()
        .ok_or_else(|| broken("no address".to_owned()))?;
    let any: SocketAddr = if site.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0; 16], 0).into()
    };
    let route = || {
        let socket = UdpSocket::bind(any)?;
        socket.connect(site)?;
        Ok::<_, std::io::Error>(socket.local_addr()?.ip())
    };
    route().map_err(|error| broken(error.to_string()))
}

/// What browsers fetch at a time from one host over HTTP/1.1.
const AT_A_TIME: usize = 6;
/// An object that a visitor takes into memory; the largest that sites carry by default.
pub(super) const OBJECT_MAX: usize = 64 * 1024 * 1024;
const WORKER: &str = "/.flashback/sw.js";
