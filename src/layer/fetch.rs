//! One request for something of a hot page: answered from memory, by following another request's fetch, or by fetching it
//! for everybody. What may not be shared goes to the inner service with the visitor's own request, untouched.

use std::{
    future::poll_fn,
    panic,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::BodyExt as _;
use tokio::{sync::oneshot, time::timeout};
use tower::Service;

use super::{carrier::Carrier, count::Source, pages::HotPage};
use crate::{
    content::{Encoding, Leader, Lookup, Object, ObjectKey, Outcome, ROUNDS, Reason, Verdict, Writer, relay},
    telemetry::metric,
};

/// The answer to a visitor's request, its conditions and range minded.
pub(super) struct Fetched {
    pub(super) response: Response<Body>,
    /// Who is asked for its bytes.
    pub(super) source: Source,
    /// Why it is this visitor's alone, if it is.
    pub(super) unshared: Option<Reason>,
}

impl Fetched {
    fn new<B>(response: Response<B>, source: Source) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self {
            response: response.map(Body::new),
            source,
            unshared: None,
        }
    }
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
) -> Result<Fetched, S::Error>
where
    S: Service<Request<B>, Response = Response<RB>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    RB: http_body::Body<Data = Bytes> + Send + 'static,
    RB::Error: Into<BoxError>,
{
    let mut unshared = None;
    for _ in 0..ROUNDS {
        let now = SystemTime::now();
        match carrier.store.lookup(&asked.key, &asked.parts.headers, now) {
            Lookup::Fresh(object) => return Ok(stored(&asked, &object)),
            Lookup::Stale(object, leader) => {
                let answer = stored(&asked, &object);
                if let Some(leader) = leader {
                    let (nobody, _) = oneshot::channel();
                    tokio::spawn(run(Arc::clone(carrier), inner, asked, leader, nobody));
                }
                return Ok(answer);
            }
            Lookup::Lead(leader) => return lead(carrier, inner, asked, leader).await,
            Lookup::Pass(reason) => {
                unshared = Some(reason);
                break;
            }
            Lookup::Filling(mut follower) => {
                match timeout(carrier.settings.coalesce_wait, &mut follower).await {
                    Ok(Outcome::Stored(object)) => return Ok(stored(&asked, &object)),
                    Ok(Outcome::Streaming(stream)) => {
                        return Ok(Fetched::new(
                            stream.answer(&asked.parts.headers, now),
                            Source::Store,
                        ));
                    }
                    Ok(Outcome::Again) => {}
                    Ok(Outcome::Pass(reason)) => {
                        unshared = Some(reason);
                        break;
                    }
                    // The leading request hangs: an older copy stands in, or this one takes its own chance.
                    Err(_) => {
                        carrier.tally.fault(metric::ORIGIN_TIMEOUT);
                        match follower.give_up(SystemTime::now()) {
                            Some(older) => return Ok(stored(&asked, &older)),
                            None => break,
                        }
                    }
                }
            }
        }
    }
    let response = inner.call(asked.into_request()).await?;
    Ok(Fetched {
        unshared,
        ..Fetched::new(response, Source::Origin)
    })
}

fn stored<B>(asked: &Asked<B>, object: &Arc<Object>) -> Fetched {
    asked.page.page().admit(object);
    Fetched::new(
        object.answer(&asked.parts.headers, SystemTime::now()),
        Source::Store,
    )
}

/// Fetches for everybody, in a task of its own: a visitor who leaves must not take the crowd's copy along.
async fn lead<S, B, RB>(
    carrier: &Arc<Carrier>,
    inner: S,
    asked: Asked<B>,
    leader: Leader,
) -> Result<Fetched, S::Error>
where
    S: Service<Request<B>, Response = Response<RB>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    RB: http_body::Body<Data = Bytes> + Send + 'static,
    RB::Error: Into<BoxError>,
{
    let (tell, told) = oneshot::channel();
    let task = tokio::spawn(run(Arc::clone(carrier), inner, asked, leader, tell));
    match told.await {
        Ok(answer) => answer,
        // The task ended without a word: the inner service panicked. The server is to see that, as it would without us.
        Err(_) => match task.await {
            Err(failure) if failure.is_panic() => panic::resume_unwind(failure.into_panic()),
            _ => unreachable!("the task tells before it ends, and nobody aborts it"),
        },
    }
}

/// Sends the request, tells its visitor's answer as soon as there is one, and takes the body to its end for all others.
async fn run<S, B, RB>(
    carrier: Arc<Carrier>,
    mut inner: S,
    asked: Asked<B>,
    leader: Leader,
    tell: oneshot::Sender<Result<Fetched, S::Error>>,
) where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: http_body::Body<Data = Bytes> + Send + 'static,
    RB::Error: Into<BoxError>,
{
    let page = Arc::clone(&asked.page);
    let visitor = asked.parts.headers.clone();
    let path = Arc::clone(&asked.key.path_and_query);
    let mut request = asked.into_request();
    leader.prepare(request.headers_mut());
    carrier.tally.origin_fetch();
    let response = inner.call(request).await;
    let now = SystemTime::now();
    // A visitor who has left hears nothing, and is no reason to stop.
    let response = match response {
        Ok(response) => response,
        Err(error) => {
            let _ = tell.send(match leader.failed(now) {
                Some(older) => Ok(Fetched::new(older.answer(&visitor, now), Source::Store)),
                None => Err(error),
            });
            return;
        }
    };
    let (head, body) = response.into_parts();
    match leader.head(&head, body.size_hint().exact(), now) {
        Verdict::Fill(writer) => {
            let _ = tell.send(Ok(Fetched::new(writer.answer(&visitor, now), Source::Origin)));
            if let Ok(Some(object)) = timeout(WHOLE, fill(body, *writer)).await {
                page.page().admit(&object);
            }
        }
        Verdict::Stored(object) => {
            page.page().admit(&object);
            let _ = tell.send(Ok(Fetched::new(object.answer(&visitor, now), Source::Store)));
        }
        Verdict::Pass(reason) => {
            page.page().retire(&path);
            let own = relay(Response::from_parts(head, body), &visitor);
            let _ = tell.send(Ok(Fetched {
                unshared: Some(reason),
                ..Fetched::new(own, Source::Origin)
            }));
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

/// Longest time for one whole object: the largest at the speed of a slow origin. A body that trickles must not hold its
/// place among the fetches for ever.
const WHOLE: Duration = Duration::from_mins(10);
