//! A deadline that a moving upload pushes away: the origin cannot answer before it has the request, and a large file on
//! a slow line is no hang.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

/// When a request last moved.
#[derive(Clone, Debug)]
pub(super) struct Progress(Arc<Mutex<Instant>>);

impl Progress {
    pub(super) fn start() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// The same body; each of its frames is progress.
    pub(super) fn watch(&self, body: Body) -> Body {
        if http_body::Body::is_end_stream(&body) {
            return body;
        }
        Body::new(Watched {
            body,
            progress: self.clone(),
        })
    }

    /// Resolves once nothing has moved for this long.
    pub(super) async fn stalled(&self, patience: Duration) {
        loop {
            let deadline = self.last() + patience;
            if deadline <= Instant::now() {
                return;
            }
            sleep_until(deadline).await;
        }
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

struct Watched {
    body: Body,
    progress: Progress,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        this.progress.moved();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt;
    use tokio::time;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_moving_upload_is_no_hang() {
        let start = Instant::now();
        let progress = Progress::start();
        let slow = stream::unfold(0_u8, async |index| {
            time::sleep(Duration::from_secs(4)).await;
            (index < 5).then(|| (Ok::<_, std::io::Error>(Bytes::from_static(b"part")), index + 1))
        });
        let mut body = progress.watch(Body::from_stream(slow));
        let upload = async { while body.frame().await.is_some() {} };
        tokio::join!(upload, progress.stalled(Duration::from_secs(10)));
        // Five frames and the end, four seconds apart, then ten seconds of silence.
        assert_eq!(start.elapsed().as_secs(), 6 * 4 + 10);
    }
}
