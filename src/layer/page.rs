//! A request for a hot page: the origin's own page, with the script and the manifest put into it. Whatever stands against
//! that, the page goes out as it came.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request};
use tower::Service;
use tower_http::CompressionLevel;
use url::Url;

use super::{
    Depth, asset,
    carrier::{Carrier, Visit},
    coding,
    count::{Source, counted},
    fetch::{Asked, Fetched, fetch},
    gate::{self, Injection, Passed},
    inject::{self, Injected, Plan, Snippet, Variant},
    introducer::Stun,
    notice::Notice,
    pages::Listed,
};
use crate::{
    content::{Encoding, Reference},
    telemetry::metric,
};

/// Answers the visit.
pub(super) async fn carry<S, B, RB>(
    carrier: Arc<Carrier>,
    mut inner: S,
    request: Request<B>,
    visit: Visit,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<B>, Response = Response<RB>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    RB: http_body::Body<Data = Bytes> + Send + 'static,
    RB::Error: Into<BoxError>,
{
    let began = Instant::now();
    let (mut parts, body) = request.into_parts();
    let url = match (gate::may_carry_request(&parts), page_url(&parts, &visit.host)) {
        (Ok(()), Some(url)) => url,
        (refused, _) => {
            carrier.tally.passed(refused.err().map_or(NO_URL, Passed::as_str));
            let response = inner.call(Request::from_parts(parts, body)).await?.map(Body::new);
            return Ok(counted(response, Source::Origin, &carrier, Some(&visit.page)));
        }
    };
    let variant = variant(&carrier, &visit);
    let ours = variant.restore_validators(&mut parts.headers);
    let visitor = parts.headers.clone();
    parts
        .headers
        .insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let asked = Asked::new(
        parts,
        body,
        &visit.host,
        Encoding::Identity,
        Arc::clone(&visit.page),
    );
    let Fetched {
        mut response, source, ..
    } = fetch(&carrier, inner, asked).await?;
    if response.status() == StatusCode::NOT_MODIFIED {
        // About a carried page if a tag of ours was asked for, else about the origin's own.
        if ours {
            variant.rewrite_head(response.headers_mut());
        }
        return Ok(counted(response, source, &carrier, Some(&visit.page)));
    }
    let response = coding::decoded(response).await;
    let carried = Visited {
        carrier: &carrier,
        visit: &visit,
        url,
        variant,
        began,
    }
    .inject(response);
    let response = coding::encoded(carried, &visitor, CompressionLevel::Default).await;
    Ok(counted(response, source, &carrier, Some(&visit.page)))
}

/// A visit whose page has come.
struct Visited<'a> {
    carrier: &'a Arc<Carrier>,
    visit: &'a Visit,
    url: Url,
    variant: Variant,
    began: Instant,
}

impl Visited<'_> {
    fn inject(self, response: Response<Body>) -> Response<Body> {
        let (mut head, body) = response.into_parts();
        let injection = match gate::may_inject(&head, &self.url) {
            Ok(injection) => injection,
            Err(passed) => {
                self.carrier.tally.passed(passed.as_str());
                return Response::from_parts(head, body);
            }
        };
        let listed = self.visit.page.listed(SystemTime::now());
        // Until an object is known there is nothing to carry; the page is only read for what it refers to.
        let snippet = if listed.is_empty() {
            None
        } else if !self.visit.page.is_carried() {
            self.carrier.tally.passed(LIGHT);
            None
        } else {
            self.snippet(&injection, &listed)
        };
        let held = snippet.is_some() && self.visit.depth == Depth::Media && injection.style.is_some();
        let plan = Plan {
            snippet: snippet.clone().unwrap_or_default(),
            page: self.url.clone(),
            carried: held.then(|| Arc::clone(&listed.carried)),
            encoding: injection.encoding,
        };
        if snippet.is_some() {
            self.variant.rewrite_head(&mut head.headers);
            self.say_timing(&mut head.headers);
            if held {
                inject::release_links(&mut head.headers, &self.url, &listed.carried);
            }
        }
        let (carrier, page, told) = (
            Arc::clone(self.carrier),
            Arc::clone(&self.visit.page),
            snippet.is_some(),
        );
        let (depth, began) = (self.visit.depth, self.began);
        let body = Injected::new(body, plan, move |outcome| {
            let mut known = page.page();
            for reference in &outcome.references {
                known.refer(reference, Reference::Named);
            }
            drop(known);
            if told {
                carrier.tally.injected(&outcome);
                carrier.tally.page(depth, began.elapsed());
            }
        });
        Response::from_parts(head, Body::new(body))
    }

    /// `Server-Timing`: whoever looks at a slow page in a browser's tools sees that it was carried, how far, and what that
    /// took until the head.
    fn say_timing(&self, headers: &mut HeaderMap) {
        let took = self.began.elapsed().as_secs_f64() * 1_000.0;
        let timing = format!("flashback;desc=\"{}\";dur={took:.1}", self.visit.depth.as_str());
        if let Ok(timing) = HeaderValue::try_from(timing) {
            headers.append("server-timing", timing);
        }
    }

    /// What this visitor is told, or nothing if it cannot be written.
    fn snippet(&self, injection: &Injection, listed: &Listed) -> Option<Bytes> {
        let Self { carrier, visit, .. } = self;
        if !visit.page.open_room(&*carrier.introducer) {
            return None;
        }
        let visitors = carrier.introducer.attendance(visit.page.room).visitors;
        let stun = carrier.introducer.stun();
        let snippet = Snippet {
            client: &asset::client_url(),
            notice: carrier.notice.as_ref().map(Notice::url),
            room: &visit.page.room.to_string(),
            token: &carrier.introducer.token(visit.page.room, visit.visitor),
            hold: (visit.depth == Depth::Media).then_some(carrier.settings.hold),
            lan: carrier.introducer.lan(),
            stun: stun.as_ref().map(|stun| match stun {
                Stun::Port(port) => inject::Stun::Port(*port),
                Stun::Url(url) => inject::Stun::Url(url),
            }),
            objects: if visitors < carrier.settings.list_digests_below {
                &listed.objects
            } else {
                &listed.unlisted
            },
            script: &injection.script,
            style: injection.style.as_ref(),
        };
        snippet
            .render()
            .inspect_err(|_| carrier.tally.fault(metric::INTERNAL))
            .ok()
    }
}

/// The page's address as its visitor sees it. A header of the visitor's own decides the scheme: it can mislead nobody else.
fn page_url(parts: &request::Parts, host: &str) -> Option<Url> {
    let secure = parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS)
        || parts
            .headers
            .get("x-forwarded-proto")
            .is_some_and(|scheme| scheme == "https");
    let scheme = if secure { "https" } else { "http" };
    let path = parts.uri.path_and_query().map_or("/", |whole| whole.as_str());
    Url::parse(&format!("{scheme}://{host}{path}")).ok()
}

/// A carried page is fresh for half of a token's life: a `304` then never brings a token back that is about to end.
fn variant(carrier: &Carrier, visit: &Visit) -> Variant {
    let seconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let period = seconds / (carrier.introducer.token_life().as_secs() / 2).max(1);
    let notice = carrier.notice.as_ref().map_or("", Notice::version);
    Variant::new(&format!(
        "{}{notice}.{}.{period}",
        asset::version(),
        visit.page.room
    ))
}

/// The reason of a hot page that the origin alone serves faster than its visitors would.
const LIGHT: &str = "load";
/// The reason of a request whose own address cannot be read, next to those of the gate.
const NO_URL: &str = "address";
