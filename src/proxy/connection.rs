//! A connection to the origin that remembers whether it ever answered. One that did and then fails was closed by the
//! origin while it lay idle, so the request may be sent again; one that never did failed because of the request.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use http::Extensions;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::{
    Error,
    connect::{Connected, Connection},
};
use pin_project_lite::pin_project;

pin_project! {
    /// A stream with a [`Reuse`] mark.
    pub(super) struct Marked<T> {
        #[pin]
        stream: T,
        mark: Reuse,
    }
}

impl<T> Marked<T> {
    pub(super) fn new(stream: T) -> Self {
        Self {
            stream,
            mark: Reuse::default(),
        }
    }
}

/// Whether a connection has answered before.
#[derive(Clone, Default)]
pub(super) struct Reuse(Arc<AtomicBool>);

impl Reuse {
    /// Marks the connection that this response came on.
    pub(super) fn answered(extensions: &Extensions) {
        if let Some(mark) = extensions.get::<Self>() {
            mark.0.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the connection of this error had answered before.
    pub(super) fn of(error: &Error) -> bool {
        let mut extensions = Extensions::new();
        if let Some(connected) = error.connect_info() {
            connected.get_extras(&mut extensions);
        }
        extensions
            .get::<Self>()
            .is_some_and(|mark| mark.0.load(Ordering::Relaxed))
    }
}

impl<T: Connection> Connection for Marked<T> {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.mark.clone())
    }
}

impl<T: Read> Read for Marked<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_read(cx, buf)
    }
}

impl<T: Write> Write for Marked<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(cx, bufs)
    }
}
