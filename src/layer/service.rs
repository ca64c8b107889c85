//! The tower `Service`: counts each request, and sends it the way that its URL's state asks for.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use http::{Method, Request, Response};
use tower::Service;
use tracing::Instrument as _;

use super::{
    ResponseFuture,
    carrier::{Carrier, Route},
    object, page, reserved,
};

/// A service with crowd insurance. Made by [`FlashbackLayer`](super::FlashbackLayer); see the [module docs](super).
///
/// Errors are the inner service's alone: where a part of ours cannot work, the inner service's response goes through
/// untouched.
#[derive(Clone, Debug)]
pub struct FlashbackService<S> {
    inner: S,
    carrier: Arc<Carrier>,
}

impl<S> FlashbackService<S> {
    pub(super) fn new(inner: S, carrier: Arc<Carrier>) -> Self {
        Self { inner, carrier }
    }
}

impl<S: Clone> FlashbackService<S> {
    /// The inner service that was polled ready; a clone that was not stays behind.
    fn take_ready(&mut self) -> S {
        let unready = self.inner.clone();
        mem::replace(&mut self.inner, unready)
    }
}

impl<S, B, RB> Service<Request<B>> for FlashbackService<S>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    RB: http_body::Body<Data = Bytes> + Send + 'static,
    RB::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if reserved::owns(request.uri().path()) {
            // None of our endpoints reads a body, so the visitor's is dropped with its type.
            let (parts, _) = request.into_parts();
            let answer = reserved::answer(Arc::clone(&self.carrier), parts);
            return ResponseFuture::hot(Box::pin(async move { Ok(answer.await) }));
        }
        if *request.method() != Method::GET && *request.method() != Method::HEAD {
            return ResponseFuture::calm(self.inner.call(request));
        }
        match self.carrier.route(
            request.method(),
            request.uri(),
            request.headers(),
            request.extensions(),
        ) {
            Route::Calm => ResponseFuture::calm(self.inner.call(request)),
            Route::Page(visit) => {
                let inner = self.take_ready();
                let span = tracing::info_span!("flashback.page", key = %visit.page.key, depth = visit.depth.as_str());
                ResponseFuture::hot(Box::pin(
                    page::carry(Arc::clone(&self.carrier), inner, request, visit).instrument(span),
                ))
            }
            Route::Object(object) => {
                let inner = self.take_ready();
                let span = tracing::info_span!("flashback.object", key = %object.page.key, path = request.uri().path());
                ResponseFuture::hot(Box::pin(
                    object::serve(Arc::clone(&self.carrier), inner, request, object).instrument(span),
                ))
            }
        }
    }
}
