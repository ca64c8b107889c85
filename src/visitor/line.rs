//! What waits to be sent to one neighbour, and when it goes: as fast as the uplink and the neighbour take it, and no
//! earlier than it must.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{sleep, sleep_until},
};
use webrtc::{data_channel::DataChannel, error::Error};

use super::{
    link::{Event, HEADERS, Teller, open},
    uplink::Part,
    window::Window,
};
use crate::swarm::message::Bundle;

/// What waits to be sent.
pub(super) struct Line {
    pub(super) queue: mpsc::Receiver<Bytes>,
    pub(super) part: Arc<Part>,
}

impl Line {
    /// Sends it, as fast as the uplink takes it. `released` is told when the neighbour has taken something.
    pub(super) async fn write(
        mut self,
        channel: &dyn DataChannel,
        teller: &Teller,
        released: &Notify,
        mut opened: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        open(&mut opened).await;
        let mut window = Window::new(Arc::clone(&self.part));
        let up = self.part.pace();
        let (mut left, mut low) = (None, None);
        loop {
            tokio::select! {
                biased;
                message = next(&mut left, &mut self.queue) => {
                    let Some(bytes) = message else {
                        return Ok(());
                    };
                    let mut bundle = Bundle::new(bytes.into());
                    if let Some(until) = up.take(bundle.len() + HEADERS, Instant::now()) {
                        sleep_until(until.into()).await;
                    }
                    // What was said meanwhile goes along, as far as it fits.
                    let before = bundle.len();
                    left = std::iter::from_fn(|| self.queue.try_recv().ok()).find(|next| !bundle.add(next));
                    up.take(bundle.len() - before, Instant::now());
                    window.sent(bundle.len(), Instant::now());
                    channel.send(BytesMut::from(&*bundle.into_bytes())).await?;
                }
                () = released.notified(), if window.is_waiting() => {
                    window.look(channel.outstanding_bytes().await?, true, Instant::now());
                }
                // What has not reached SCTP yet is outstanding and not buffered: then nothing is said when it is released.
                () = sleep(UNHEARD), if window.is_waiting() => {
                    window.look(channel.outstanding_bytes().await?, false, Instant::now());
                }
            }
            // Each setting wakes the library: only where it differs.
            if low != Some(window.low()) {
                low = Some(window.low());
                channel.set_buffered_amount_low_threshold(window.low()).await?;
            }
            if self.part.eases() {
                teller.tell(Event::Drained).await;
            }
        }
    }
}

/// What did not fit into the last packet, or what is said next.
async fn next(left: &mut Option<Bytes>, queue: &mut mpsc::Receiver<Bytes>) -> Option<Bytes> {
    match left.take() {
        None => queue.recv().await,
        some => some,
    }
}

/// How long to wait for a word of the library that may never come.
const UNHEARD: Duration = Duration::from_millis(50);
