//! The layer's pages as the broker knows them: the chunks that are at hand, and how fast they may go.

use std::{
    ops::Range,
    sync::{
        Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use bytes::Bytes;

use crate::{
    broker::Origin,
    content::{CHUNK, RoomId},
    layer::carrier::Carrier,
    unit::BitRate,
};

/// Takes chunks from the store, by the numbers of the room's manifest.
#[derive(Debug)]
pub(super) struct Larder {
    carrier: Weak<Carrier>,
    uplink: Option<BitRate>,
    /// Payload bytes that left by the signalling sockets.
    handed_out: AtomicU64,
}

impl Larder {
    pub(super) fn new(carrier: Weak<Carrier>, uplink: Option<BitRate>) -> Self {
        Self {
            carrier,
            uplink,
            handed_out: AtomicU64::new(0),
        }
    }
}

impl Origin for Larder {
    fn seeds(&self, room: RoomId) -> Vec<Range<u32>> {
        let page = self
            .carrier
            .upgrade()
            .and_then(|carrier| carrier.pages.in_room(room));
        page.map_or_else(Vec::new, |page| page.seeds(SystemTime::now()))
    }

    fn chunk(&self, room: RoomId, chunk: u32) -> Option<Bytes> {
        let carrier = self.carrier.upgrade()?;
        let (digest, within) = carrier.pages.in_room(room)?.locate(chunk)?;
        let object = carrier.store.by_digest(&digest)?;
        let start = within as usize * CHUNK;
        let end = object.body().len().min(start + CHUNK);
        (start < end).then(|| object.body().slice(start..end))
    }

    /// A share of the uplink if it is known; else what the origin was sending of its hot pages when they became hot, for that
    /// it could, or a floor that any site has.
    fn pace(&self) -> u64 {
        if let Some(uplink) = self.uplink {
            return uplink.bytes_per_second() / 10 * SHARE_TENTHS;
        }
        let hot = self
            .carrier
            .upgrade()
            .map_or(0.0, |carrier| carrier.pages.rate_when_hot());
        (hot as u64).max(FLOOR.bytes_per_second())
    }

    fn spare_weight(&self) -> usize {
        if self.uplink.is_some() { 1 } else { UNASKED }
    }

    fn sent(&self) -> u64 {
        let Some(carrier) = self.carrier.upgrade() else {
            return 0;
        };
        let sums = carrier.tally.sums();
        (sums.origin_bytes + sums.store_bytes).saturating_sub(self.handed_out.load(Relaxed))
    }

    fn took(&self, room: RoomId, bytes: u64) {
        let Some(carrier) = self.carrier.upgrade() else {
            return;
        };
        // Ahead of the sums, lest what was handed out pass for a page's in between.
        self.handed_out.fetch_add(bytes, Relaxed);
        carrier.tally.store_bytes.fetch_add(bytes, Relaxed);
        if let Some(page) = carrier.pages.in_room(room) {
            page.store_bytes.fetch_add(bytes, Relaxed);
        }
    }
}

/// Of the uplink, in tenths: the rest is for headers, which are not counted, and for pages that are not hot.
const SHARE_TENTHS: u64 = 9;
/// Spare chunks of an uplink that may be busy with other things take a fortieth of the pace: two a second at the floor,
/// enough that no room runs out of credit, and too few to beat the neighbours to what they hold.
const UNASKED: usize = 40;
/// With this 76 newcomers a second get their seeds; it is a tenth of what the smallest servers are connected with.
const FLOOR: BitRate = BitRate::from_bits_per_second(10_000_000);
