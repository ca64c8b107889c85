//! Counts the bytes of a response as they leave, by who they came from. What a visitor that hangs up has not taken is
//! not counted.

use std::{
    pin::Pin,
    sync::Arc,
    sync::atomic::Ordering::Relaxed,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};

use super::{carrier::Carrier, pages::HotPage};

/// Where the bytes of a response came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The inner service, asked for this response.
    Origin,
    /// A copy in memory.
    Store,
}

/// The same response, its bytes counted in all, and for the page that they belong to.
pub(super) fn counted(
    response: Response<Body>,
    source: Source,
    carrier: &Arc<Carrier>,
    page: Option<&Arc<HotPage>>,
) -> Response<Body> {
    let (carrier, page) = (Arc::clone(carrier), page.cloned());
    response.map(|body| {
        Body::new(Counted {
            body,
            source,
            carrier,
            page,
        })
    })
}

struct Counted {
    body: Body,
    source: Source,
    carrier: Arc<Carrier>,
    page: Option<Arc<HotPage>>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Some(bytes)) = frame
            .as_ref()
            .map(|frame| frame.as_ref().ok().and_then(Frame::data_ref))
        {
            let length = bytes.len() as u64;
            let (total, page) = match self.source {
                Source::Origin => (
                    &self.carrier.tally.origin_bytes,
                    self.page.as_ref().map(|page| &page.origin_bytes),
                ),
                Source::Store => (
                    &self.carrier.tally.store_bytes,
                    self.page.as_ref().map(|page| &page.store_bytes),
                ),
            };
            total.fetch_add(length, Relaxed);
            if let Some(page) = page {
                page.fetch_add(length, Relaxed);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
