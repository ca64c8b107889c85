//! A response body that passes through the [`Rewriter`]: frame by frame, with its trailers, and with its errors after all
//! that came before them.

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Outcome, Plan, Rewriter};

pin_project! {
    /// The body of a carried page. When it ends, breaks off or is dropped, `done` is told once what became of the page.
    pub struct Injected<B: Body> {
        #[pin]
        inner: B,
        stage: Stage<B::Error>,
        observer: Observer,
    }
}

enum Stage<E> {
    Streaming,
    /// The rewriter has nothing more to say; this is left.
    Last(Option<Result<HeaderMap, E>>),
}

/// The rewriter, and who is told of its outcome; apart from the body so that dropping it tells, too.
struct Observer {
    rewriter: Option<Rewriter>,
    done: Option<Box<dyn FnOnce(Outcome) + Send>>,
}

impl<B: Body> Injected<B> {
    /// Rewrites `inner` by the plan.
    pub fn new(inner: B, plan: Plan, done: impl FnOnce(Outcome) + Send + 'static) -> Self {
        let observer = Observer {
            rewriter: Some(Rewriter::new(plan)),
            done: Some(Box::new(done)),
        };
        Self {
            inner,
            stage: Stage::Streaming,
            observer,
        }
    }
}

impl<B: Body> Body for Injected<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        loop {
            if let Stage::Last(last) = this.stage {
                return Poll::Ready(last.take().map(|last| last.map(Frame::trailers)));
            }
            let (data, last) = match ready!(this.inner.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => (this.observer.write(data), None),
                    // A frame is data or trailers; one of a kind yet to come is not for us to guess at, and ends the body.
                    Err(frame) => (this.observer.end(), Some(frame.into_trailers().ok().map(Ok))),
                },
                Some(Err(error)) => (this.observer.end(), Some(Some(Err(error)))),
                None => (this.observer.end(), Some(None)),
            };
            if let Some(last) = last {
                *this.stage = Stage::Last(last);
            }
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.stage, Stage::Last(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self.stage {
            // Neither more nor less is known: attributes are added, and white space between them may go.
            Stage::Streaming => SizeHint::default(),
            Stage::Last(_) => SizeHint::with_exact(0),
        }
    }
}

impl Observer {
    fn write(&mut self, mut data: impl Buf) -> Bytes {
        let Some(rewriter) = self.rewriter.as_mut().filter(|rewriter| !rewriter.is_raw()) else {
            return data.copy_to_bytes(data.remaining());
        };
        // Room for the snippet and the marks besides the data itself.
        let mut out = Vec::with_capacity(data.remaining() + 1024);
        while data.has_remaining() {
            let chunk = data.chunk();
            rewriter.write(chunk, &mut out);
            let read = chunk.len();
            data.advance(read);
        }
        out.into()
    }

    fn end(&mut self) -> Bytes {
        let mut out = Vec::new();
        if let Some(rewriter) = self.rewriter.take() {
            self.tell(rewriter.end(&mut out));
        }
        out.into()
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(done) = mem::take(&mut self.done) {
            done(outcome);
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        if let Some(rewriter) = self.rewriter.take() {
            self.tell(rewriter.settle());
        }
    }
}

impl<B: Body> fmt::Debug for Injected<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injected")
            .field("rewriter", &self.observer.rewriter)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
