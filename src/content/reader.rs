//! A response body that reads bytes `[start, end)` of an object, stored or on its way. It waits for bytes that are not there yet, and
//! breaks off where the origin did.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{
    filling::{End, Own, Ticket},
    range::Span,
};

/// The body of every answer from the store.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    at: u64,
    /// Where to stop; unknown if the object's length is.
    end: Option<u64>,
}

#[derive(Debug)]
enum Source {
    Stored(Bytes),
    /// `own`: this is the visitor whose request the fetch is.
    Growing {
        ticket: Ticket,
        own: bool,
    },
    Done,
}

/// The origin's response broke off: what was sent is not the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the origin's response broke off after {at} bytes")]
pub struct BrokenOff {
    /// Bytes of the object that came.
    pub at: u64,
}

impl Reader {
    pub(super) fn empty() -> Self {
        Self {
            source: Source::Done,
            at: 0,
            end: Some(0),
        }
    }

    pub(super) fn stored(body: &Bytes, span: Span) -> Self {
        Self {
            source: Source::Stored(body.clone()),
            at: span.start,
            end: Some(span.end),
        }
    }

    pub(super) fn growing(ticket: Ticket, own: bool, span: Option<Span>) -> Self {
        let (at, end) = span.map_or((0, None), |span| (span.start, Some(span.end)));
        if own {
            ticket.filling.state().own = Own::At(at);
        }
        Self {
            source: Source::Growing { ticket, own },
            at,
            end,
        }
    }

    /// The next piece of a body under way; none at its end.
    fn poll_growing(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        let Source::Growing { ticket, own } = &self.source else {
            return Poll::Ready(None);
        };
        let (own, filling) = (*own, Arc::clone(&ticket.filling));
        let mut state = filling.state();
        let end = self.end.unwrap_or(u64::MAX);
        if let End::Whole(Some(body)) = &state.end {
            let body = body.clone();
            drop(state);
            self.source = Source::Stored(body);
            return Poll::Ready(self.stored_piece().map(Ok));
        }
        if let Some(piece) = state.buffer.piece(self.at, end) {
            self.at += piece.len() as u64;
            if own {
                state.own = Own::At(self.at);
                let writer = state.writer.take();
                drop(state);
                writer.into_iter().for_each(std::task::Waker::wake);
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        match state.end {
            End::Open => {
                ticket.wait(&mut state, cx);
                Poll::Pending
            }
            End::Whole(_) => Poll::Ready(None),
            End::Broken => Poll::Ready(Some(Err(BrokenOff {
                at: state.buffer.end(),
            }))),
        }
    }

    fn stored_piece(&mut self) -> Option<Bytes> {
        let Source::Stored(body) = &self.source else {
            return None;
        };
        let end = self.end.unwrap_or(u64::MAX).min(body.len() as u64);
        let piece = body.slice(self.at.min(end) as usize..end as usize);
        self.at = end;
        (!piece.is_empty()).then_some(piece)
    }

    fn is_finished(&self) -> bool {
        match &self.source {
            Source::Done => true,
            Source::Stored(body) => self.at >= self.end.unwrap_or(u64::MAX).min(body.len() as u64),
            Source::Growing { .. } => self.end.is_some_and(|end| self.at >= end),
        }
    }
}

impl Body for Reader {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if self.is_finished() {
            self.release();
            return Poll::Ready(None);
        }
        let piece = match &self.source {
            Source::Stored(_) => Poll::Ready(self.stored_piece().map(Ok)),
            _ => self.poll_growing(cx),
        };
        if matches!(piece, Poll::Ready(None | Some(Err(_)))) {
            self.release();
        }
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_finished()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.source, self.end) {
            (Source::Done, _) => SizeHint::with_exact(0),
            (_, Some(end)) => SizeHint::with_exact(end.saturating_sub(self.at)),
            (Source::Stored(body), None) => SizeHint::with_exact((body.len() as u64).saturating_sub(self.at)),
            (Source::Growing { .. }, None) => SizeHint::new(),
        }
    }
}

impl Reader {
    /// Gives up its place; if the fetch goes through a window for this visitor alone, the writer learns that nobody reads.
    fn release(&mut self) {
        if let Source::Growing { ticket, own: true } = std::mem::replace(&mut self.source, Source::Done) {
            let writer = {
                let mut state = ticket.filling.state();
                state.own = Own::Absent;
                state.writer.take()
            };
            writer.into_iter().for_each(std::task::Waker::wake);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.release();
    }
}
