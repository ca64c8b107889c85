//! What waits to be sent to one neighbour, and when it goes: as fast as the uplink and the neighbour take it, and no
//! earlier than it must.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{sleep_until, timeout},
};
use webrtc::{data_channel::DataChannel, error::Error};

use super::{
    link::{Event, HEADERS, Teller, open},
    pace::Pace,
    window::Window,
};
use crate::swarm::message::Bundle;

/// What waits to be sent.
pub(super) struct Line<'a> {
    pub(super) queue: mpsc::Receiver<Bytes>,
    pub(super) full: &'a AtomicBool,
}

impl Line<'_> {
    /// Sends it, as fast as the uplink and the neighbour take it. `released` is told when the neighbour has taken something.
    pub(super) async fn write(
        mut self,
        channel: &dyn DataChannel,
        teller: &Teller,
        up: &Pace,
        released: &Notify,
        mut opened: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        open(&mut opened).await;
        let mut window = Window::new();
        let mut left = None;
        while let Some(bytes) = next(&mut left, &mut self.queue).await {
            let mut bundle = Bundle::new(bytes.into());
            if let Some(until) = up.take(bundle.len() + HEADERS, Instant::now()) {
                sleep_until(until.into()).await;
            }
            room(channel, &mut window, released).await?;
            // What was said meanwhile goes along, as far as it fits.
            let before = bundle.len();
            left = std::iter::from_fn(|| self.queue.try_recv().ok()).find(|next| !bundle.add(next));
            up.take(bundle.len() - before, Instant::now());
            window.sent(bundle.len(), Instant::now());
            channel.send(BytesMut::from(&*bundle.into_bytes())).await?;
            if self.queue.len() <= BLOCKS / 2 && self.full.swap(false, Ordering::AcqRel) {
                teller.tell(Event::Drained).await;
            }
        }
        Ok(())
    }
}

/// What did not fit into the last packet, or what is said next.
async fn next(left: &mut Option<Bytes>, queue: &mut mpsc::Receiver<Bytes>) -> Option<Bytes> {
    match left.take() {
        None => queue.recv().await,
        some => some,
    }
}

/// Waits until so little is on its way that more may follow.
async fn room(channel: &dyn DataChannel, window: &mut Window, released: &Notify) -> Result<(), Error> {
    window.look(channel.outstanding_bytes().await?, false, Instant::now());
    let mut low = None;
    while !window.has_room() {
        // Each setting wakes the library: only where it differs.
        if low.replace(window.low()) != Some(window.low()) {
            channel.set_buffered_amount_low_threshold(window.low()).await?;
        }
        // What has not reached SCTP yet is outstanding and not buffered: then nothing is said when it is released.
        let prompt = timeout(UNHEARD, released.notified()).await.is_ok();
        window.look(channel.outstanding_bytes().await?, prompt, Instant::now());
    }
    Ok(())
}

/// Blocks that wait: one that goes next, and one behind it. Whoever asks meanwhile, and is poorer, comes before a third.
pub(super) const BLOCKS: usize = 2;
/// How long to wait for a word of the library that may never come.
const UNHEARD: Duration = Duration::from_millis(50);
