//! One request for something of a hot page: answered from memory, by following another request's fetch, or by fetching it
//! for everybody. What may not be shared goes to the inner service with the visitor's own request, untouched.

use std::{future::poll_fn, panic, pin::pin, sync::Arc, time::SystemTime};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, request};
use http_body_util::BodyExt as _;
use tokio::{sync::oneshot, time::timeout};
use tower::Service;

use super::{
    carrier::Carrier,
    count::{Source, counted},
    pages::HotPage,
};
use crate::{
    content::{Encoding, Leader, Lookup, Object, ObjectKey, Outcome, ROUNDS, Reason, Verdict, Writer, relay},
    telemetry::metric,
};

/// What came of it.
pub(super) enum Fetched<RB> {
    /// A response that the store made or shaped, answering the visitor's own conditions and range.
    Ours(Response<Body>),
    /// The inner service's response to the visitor's own request.
    Passed(Response<RB>),
}

/// The visitor's request, and what it is part of.
pub(super) struct Asked<B> {
    pub(super) parts: request::Parts,
    pub(super) body: B,
    pub(super) key: ObjectKey,
    pub(super) page: Arc<HotPage>,
}

impl<B> Asked<B> {
    pub(super) fn new(
        parts: request::Parts,
        body: B,
        host: &str,
        encoding: Encoding,
        page: Arc<HotPage>,
    ) -> Self {
        let path_and_query = parts
            .uri
            .path_and_query()
            .map_or(parts.uri.path(), |whole| whole.as_str());
        let key = ObjectKey::new(host, path_and_query, encoding);
        Self {
            parts,
            body,
            key,
            page,
        }
    }

    fn into_request(self) -> Request<B> {
        Request::from_parts(self.parts, self.body)
    }
}

/// Answers the request.
pub(super) async fn fetch<S, B, RB>(
    carrier: &Arc<Carrier>,
    mut inner: S,
    asked: Asked<B>,
) -> Result<Fetched<RB>, S::Error>
where
    S: Service<Request<B>, Response = Response<RB>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    RB: http_body::Body<Data = Bytes> + Send + 'static,
    RB::Error: Into<BoxError>,
{
    for _ in 0..ROUNDS {
        let now = SystemTime::now();
        match carrier.store.lookup(&asked.key, &asked.parts.headers, now) {
            Lookup::Fresh(object) => return Ok(stored(carrier, &asked.page, &object, &asked.parts.headers)),
            Lookup::Stale(object, leader) => {
                let answer = stored(carrier, &asked.page, &object, &asked.parts.headers);
                if let Some(leader) = leader {
                    tokio::spawn(refresh(Arc::clone(carrier), inner, asked, leader));
                }
                return Ok(answer);
            }
            Lookup::Lead(leader) => return lead(carrier, inner, asked, leader).await,
            Lookup::Pass(reason) => {
                carrier.tally.passed(reason.as_str());
                break;
            }
            Lookup::Filling(follower) => match timeout(carrier.settings.coalesce_wait, follower).await {
                Ok(Outcome::Stored(object)) => {
                    return Ok(stored(carrier, &asked.page, &object, &asked.parts.headers));
                }
                Ok(Outcome::Streaming(stream)) => {
                    let answer = stream.answer(&asked.parts.headers, now).map(Body::new);
                    return Ok(Fetched::Ours(counted(
                        answer,
                        Source::Store,
                        carrier,
                        &asked.page,
                    )));
                }
                Ok(Outcome::Again) => {}
                Ok(Outcome::Pass(reason)) => {
                    carrier.tally.passed(reason.as_str());
                    break;
                }
                // The leading request hangs: this one takes its own chance.
                Err(_) => {
                    carrier.tally.fault(metric::ORIGIN_TIMEOUT);
                    break;
                }
            },
        }
    }
    inner.call(asked.into_request()).await.map(Fetched::Passed)
}

fn stored<RB>(
    carrier: &Arc<Carrier>,
    page: &Arc<HotPage>,
    object: &Arc<Object>,
    visitor: &HeaderMap,
) -> Fetched<RB> {
    page.page().admit(object);
    let answer = object.answer(visitor, SystemTime::now()).map(Body::new);
    Fetched::Ours(counted(answer, Source::Store, carrier, page))
}

/// What the fetching task tells the request that started it.
enum Led<RB> {
    /// The answer, growing or whole.
    Answer(Response<Body>),
    /// Not to be shared: its own response, to be shaped for its own visitor.
    Own(Response<RB>, Reason),
}

/// Fetches for everybody, in a task of its own: a visitor who leaves must not take the crowd's copy along.
async fn lead<S, B, RB>(
    carrier: &Arc<Carrier>,
    inner: S,
    asked: Asked<B>,
    leader: Leader,
) -> Result<Fetched<RB>, S::Error>
where
    S: Service<Request<B>, Response = Response<RB>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    RB: http_body::Body<Data = Bytes> + Send + 'static,
    RB::Error: Into<BoxError>,
{
    let (tell, told) = oneshot::channel();
    let visitor = asked.parts.headers.clone();
    let page = Arc::clone(&asked.page);
    let task = tokio::spawn(run(Arc::clone(carrier), inner, asked, leader, tell));
    match told.await {
        Ok(Ok(Led::Answer(answer))) => Ok(Fetched::Ours(counted(answer, Source::Origin, carrier, &page))),
        Ok(Ok(Led::Own(response, reason))) => {
            carrier.tally.passed(reason.as_str());
            Ok(Fetched::Ours(counted(
                relay(response, &visitor).map(Body::new),
                Source::Origin,
                carrier,
                &page,
            )))
        }
        Ok(Err(error)) => Err(error),
        // The task ended without a word: the inner service panicked. The server is to see that, as it would without us.
        Err(_) => match task.await {
            Err(failure) if failure.is_panic() => panic::resume_unwind(failure.into_panic()),
            _ => unreachable!("the task tells before it ends, and nobody aborts it"),
        },
    }
}

/// Fetches anew in the background, with a request whose visitor has been answered from the older copy.
async fn refresh<S, B, RB>(carrier: Arc<Carrier>, inner: S, asked: Asked<B>, leader: Leader)
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: http_body::Body<Data = Bytes>,
    RB::Error: Into<BoxError>,
{
    let (tell, _) = oneshot::channel();
    run(carrier, inner, asked, leader, tell).await;
}

async fn run<S, B, RB>(
    carrier: Arc<Carrier>,
    mut inner: S,
    asked: Asked<B>,
    leader: Leader,
    tell: oneshot::Sender<Result<Led<RB>, S::Error>>,
) where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: http_body::Body<Data = Bytes>,
    RB::Error: Into<BoxError>,
{
    let page = Arc::clone(&asked.page);
    let visitor = asked.parts.headers.clone();
    let mut request = asked.into_request();
    leader.prepare(request.headers_mut());
    carrier.tally.origin_fetch();
    let response = match inner.call(request).await {
        Ok(response) => response,
        Err(error) => {
            let now = SystemTime::now();
            let _ = tell.send(match leader.failed(now) {
                Some(older) => Ok(Led::Answer(older.answer(&visitor, now).map(Body::new))),
                None => Err(error),
            });
            return;
        }
    };
    let now = SystemTime::now();
    let (head, body) = response.into_parts();
    match leader.head(&head, body.size_hint().exact(), now) {
        Verdict::Fill(writer) => {
            // A visitor who has left is no reason to stop.
            let _ = tell.send(Ok(Led::Answer(writer.answer(&visitor, now).map(Body::new))));
            if let Some(object) = fill(body, *writer).await {
                page.page().admit(&object);
            }
        }
        Verdict::Stored(object) => {
            page.page().admit(&object);
            let _ = tell.send(Ok(Led::Answer(object.answer(&visitor, now).map(Body::new))));
        }
        Verdict::Pass(reason) => {
            let _ = tell.send(Ok(Led::Own(Response::from_parts(head, body), reason)));
        }
    }
}

/// Takes the whole body. What breaks off or is too much is dropped, and all who read it see what they would have seen
/// of the origin.
async fn fill<RB>(body: RB, mut writer: Writer) -> Option<Arc<Object>>
where
    RB: http_body::Body<Data = Bytes>,
{
    let mut body = pin!(body);
    loop {
        poll_fn(|cx| writer.poll_ready(cx)).await.ok()?;
        match body.frame().await {
            None => return writer.finish(SystemTime::now()),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    writer.push(&data, SystemTime::now()).ok()?;
                }
            }
            Some(Err(_)) => {
                writer.fail();
                return None;
            }
        }
    }
}
