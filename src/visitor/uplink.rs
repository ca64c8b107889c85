//! The visitor's uplink, which all its links share, and how much may be on its way through it. What waits in a modem was decided
//! too early; whoever asks next waits behind it, and so does every handshake; in the end the modem drops it. So little as keeps
//! the uplink busy, and on fast links and long ways more: it grows while the way is free, and halves when acknowledgements
//! come late.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::pace::Pace;

/// What all links of a visitor send through.
#[derive(Debug)]
pub(super) struct Uplink {
    /// As slow as a rehearsal wants it.
    pub(super) pace: Pace,
    flow: Mutex<Flow>,
    eased: Notify,
}

/// The bytes between a visitor and all its neighbours that were not acknowledged yet.
#[derive(Debug)]
struct Flow {
    limit: usize,
    bytes: Bytes,
    /// When an acknowledgement last came that had waited for nothing: the uplink was free then, whatever else is late.
    free: Option<Instant>,
    halved: Option<Instant>,
}

/// What counts against a limit.
#[derive(Debug, Default)]
struct Bytes {
    outstanding: usize,
    /// Of it, what has not left yet: a rehearsal's uplink is slower than the machine.
    waiting: usize,
}

impl Uplink {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            flow: Mutex::new(Flow {
                limit: LEAST,
                bytes: Bytes::default(),
                free: None,
                halved: None,
            }),
            eased: Notify::new(),
        }
    }

    /// Whether a block may follow.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        let flow = self.flow();
        let has_room = flow.bytes.outstanding < flow.limit && flow.bytes.waiting < WAITING;
        has_room && self.pace.busy(now).is_none()
    }

    /// Returns once something has left or was acknowledged since it returned last.
    pub(super) async fn eases(&self) {
        self.eased.notified().await;
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flow {
    fn adjust(&mut self, waited: Duration, span: Duration, now: Instant) {
        let lately = |moment: Option<Instant>, within: Duration| moment.is_some_and(|at| now < at + within);
        if waited < FREE {
            self.limit = (self.limit + BLOCK).min(MOST);
            self.free = Some(now);
        } else if waited > LATE && !lately(self.free, LATE) && !lately(self.halved, span) {
            self.limit = (self.limit / 2).max(LEAST);
            self.halved = Some(now);
        }
    }
}

/// What one link has on its way, as a part of all. It counts until the link is gone.
#[derive(Debug)]
pub(super) struct Part {
    uplink: Arc<Uplink>,
    own: Mutex<Own>,
}

#[derive(Debug, Default)]
struct Own {
    outstanding: usize,
    /// What counts among that of all links: not what is lost.
    counted: Bytes,
    /// The exchange was told that no more blocks should follow.
    full: bool,
}

impl Part {
    pub(super) fn new(uplink: Arc<Uplink>) -> Self {
        Self {
            uplink,
            own: Mutex::default(),
        }
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.uplink.pace
    }

    /// Takes note of what is about to be sent. True if no more blocks should follow until it [eases](Self::eases): one
    /// neighbour has half of what may be on its way, lest one that is slow keeps all others waiting.
    pub(super) fn charge(&self, bytes: usize) -> bool {
        let (mut own, mut flow) = (self.own(), self.uplink.flow());
        own.outstanding += bytes;
        for counted in [&mut own.counted, &mut flow.bytes] {
            counted.outstanding += bytes;
            counted.waiting += bytes;
        }
        own.full |= own.outstanding >= flow.limit / 2;
        own.full
    }

    /// So much has left.
    pub(super) fn sent(&self, bytes: usize) {
        self.discount(bytes, |counted| &mut counted.waiting);
    }

    /// So much is in no queue of ours any more: it was acknowledged, or is lost.
    pub(super) fn release(&self, bytes: usize) {
        self.discount(bytes, |counted| &mut counted.outstanding);
    }

    fn discount(&self, bytes: usize, which: impl Fn(&mut Bytes) -> &mut usize) {
        let mut own = self.own();
        let counted = which(&mut own.counted);
        let less = bytes.min(*counted);
        *counted -= less;
        *which(&mut self.uplink.flow().bytes) -= less;
        self.uplink.eased.notify_one();
    }

    /// So much was acknowledged: the neighbour takes more.
    pub(super) fn acknowledged(&self, bytes: usize) {
        let mut own = self.own();
        own.outstanding = own.outstanding.saturating_sub(bytes);
    }

    /// An acknowledgement came `span` after what it is for had left, `waited` of which was more than the shortest took.
    pub(super) fn timed(&self, waited: Duration, span: Duration, now: Instant) {
        self.uplink.flow().adjust(waited, span, now);
    }

    /// Whether blocks may follow that were not to; true once.
    pub(super) fn eases(&self) -> bool {
        let mut own = self.own();
        let eases = own.full && own.outstanding < self.uplink.flow().limit / 2;
        own.full &= !eases;
        eases
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.sent(usize::MAX);
        self.release(usize::MAX);
    }
}

/// A block and its head.
const BLOCK: usize = 1_100;
/// Two packets for each of two neighbours, for every second one is acknowledged at once; on an uplink of 1 Mbit/s 35 ms.
const LEAST: usize = 4 * BLOCK;
/// What waits to be sent: one block that goes next, and one behind it. Whoever asks meanwhile, and is poorer, comes before a third.
const WAITING: usize = 2 * BLOCK;
/// As much as the library holds for a link.
pub(super) const MOST: usize = 64 * 1024;
/// Behind this nothing waits that is worth a word: one block on an uplink of 1 Mbit/s.
const FREE: Duration = Duration::from_millis(10);
/// Two blocks more. Where 100 visitors stay (`links --visitors 100 --over 50s --dwell 30s --origin-up 2500kbit`) a page takes as long
/// with 15 to 50 ms, and a quarter longer where each link has a window of its own.
const LATE: Duration = Duration::from_millis(25);

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::{super::window::Window, *};

    fn uplink() -> Arc<Uplink> {
        Arc::new(Uplink::new(Pace::new(None, Instant::now())))
    }

    /// A visitor that gives to so many neighbours in turn for 5 s, over an uplink of so many bytes per second, each of them so far away.
    struct Giver {
        uplink: Arc<Uplink>,
        links: Vec<(Arc<Part>, Window, usize)>,
    }

    impl Giver {
        fn new(links: usize) -> Self {
            let uplink = uplink();
            let link = |_| {
                let part = Arc::new(Part::new(Arc::clone(&uplink)));
                (Arc::clone(&part), Window::new(part), 0)
            };
            let links = (0..links).map(link).collect();
            Self { uplink, links }
        }

        /// Gives what arrived, and the longest that anything waited on the uplink in the last second.
        fn gives(mut self, rate: f64, way: Duration) -> (u64, Duration) {
            let start = Instant::now();
            let end = start + Duration::from_secs(5);
            let (mut now, mut free, mut full) = (start, start, vec![false; self.links.len()]);
            let (mut arrivals, mut arrived, mut waited) = (VecDeque::new(), 0, Duration::ZERO);
            let mut next = 0;
            while now < end {
                while self.uplink.has_room(now)
                    && let Some(taker) = (0..full.len())
                        .map(|step| (next + step) % full.len())
                        .find(|taker| !full[*taker])
                {
                    next = taker + 1;
                    let (part, window, outstanding) = &mut self.links[taker];
                    full[taker] = part.charge(BLOCK);
                    window.sent(BLOCK, now);
                    *outstanding += BLOCK;
                    if now > end - Duration::from_secs(1) {
                        waited = waited.max(free.saturating_duration_since(now));
                    }
                    free = free.max(now) + Duration::from_secs_f64(BLOCK as f64 / rate);
                    arrivals.push_back((free + way, taker));
                }
                let (at, taker) = arrivals.pop_front().expect("something is under way");
                now = at;
                arrived += BLOCK as u64;
                let (part, window, outstanding) = &mut self.links[taker];
                *outstanding -= BLOCK;
                window.look(*outstanding, true, now);
                full[taker] &= !part.eases();
            }
            (arrived, waited)
        }
    }

    #[test]
    fn a_slow_uplink_is_busy_and_little_waits_on_it_however_many_take() {
        for takers in [1, 2, 7] {
            let (arrived, waited) = Giver::new(takers).gives(125_000.0, Duration::from_millis(10));
            assert!(arrived > 600_000, "{takers}: {arrived} of 625,000 bytes");
            assert!(
                waited < Duration::from_millis(80),
                "{takers}: {waited:?} of the 100 ms that a modem holds"
            );
        }
    }

    #[test]
    fn a_fast_uplink_and_a_long_way_are_used() {
        for takers in [1, 2, 7] {
            let (arrived, _) = Giver::new(takers).gives(500_000.0, Duration::from_millis(50));
            assert!(arrived > 2_250_000, "{takers}: {arrived} of 2,500,000 bytes");
        }
    }

    #[test]
    fn late_acknowledgements_halve_it_once_and_not_while_others_are_prompt() {
        let uplink = uplink();
        let (part, start) = (Part::new(Arc::clone(&uplink)), Instant::now());
        let limit = || uplink.flow().limit;
        let at = |millis| start + Duration::from_millis(millis);
        let late = |millis| part.timed(Duration::from_millis(100), Duration::from_millis(100), at(millis));
        (0..20).for_each(|turn| part.timed(Duration::ZERO, Duration::from_millis(1), at(turn)));
        assert_eq!(limit(), LEAST + 20 * BLOCK);
        late(20);
        assert_eq!(limit(), LEAST + 20 * BLOCK, "another was prompt just before");
        late(200);
        late(201);
        assert_eq!(limit(), (LEAST + 20 * BLOCK) / 2);
        (1..20).for_each(|turn| late(200 + turn * 200));
        assert_eq!(limit(), LEAST);
    }

    #[test]
    fn what_is_looked_at_late_says_nothing_of_the_time() {
        let uplink = uplink();
        let part = Arc::new(Part::new(Arc::clone(&uplink)));
        let (mut window, start) = (Window::new(Arc::clone(&part)), Instant::now());
        part.charge(BLOCK);
        window.sent(BLOCK, start);
        window.look(0, false, start + Duration::from_millis(1));
        let flow = uplink.flow();
        assert_eq!((flow.limit, flow.bytes.outstanding), (LEAST, 0));
    }

    #[test]
    fn one_who_acknowledges_nothing_keeps_the_others_waiting_for_half_a_second_and_gets_no_more() {
        let uplink = uplink();
        let parts = [(); 2].map(|()| Arc::new(Part::new(Arc::clone(&uplink))));
        let start = Instant::now();
        let mut windows = parts.clone().map(Window::new);
        for (part, window) in parts.iter().zip(&mut windows) {
            assert!(!part.charge(BLOCK));
            assert!(part.charge(BLOCK), "half of it");
            window.sent(2 * BLOCK, start);
        }
        assert!(!uplink.has_room(start));
        let later = start + Duration::from_millis(499);
        windows[0].look(2 * BLOCK, false, later);
        assert!(!uplink.has_room(later));
        let later = start + Duration::from_millis(500);
        windows[0].look(2 * BLOCK, false, later);
        assert!(uplink.has_room(later) && !parts[0].eases());
        // It was not lost after all: it counts for nothing twice, and more may follow.
        parts[0].charge(BLOCK);
        windows[0].sent(BLOCK, later);
        windows[0].look(BLOCK, true, later);
        assert_eq!(uplink.flow().bytes.outstanding, 3 * BLOCK);
        assert!(parts[0].eases() && !parts[0].eases());
    }

    #[test]
    fn no_third_block_waits_to_leave() {
        let uplink = uplink();
        let part = Arc::new(Part::new(Arc::clone(&uplink)));
        let (mut window, now) = (Window::new(Arc::clone(&part)), Instant::now());
        (0..9).for_each(|_| part.timed(Duration::ZERO, Duration::ZERO, now));
        part.charge(BLOCK);
        assert!(uplink.has_room(now));
        part.charge(BLOCK);
        assert!(!uplink.has_room(now));
        window.sent(BLOCK, now);
        assert!(uplink.has_room(now));
    }

    #[test]
    fn a_link_that_ends_takes_along_what_it_had_on_its_way() {
        let uplink = uplink();
        let parts = [(); 2].map(|()| Part::new(Arc::clone(&uplink)));
        for part in &parts {
            part.charge(2 * BLOCK);
        }
        assert!(!uplink.has_room(Instant::now()));
        let [gone, _stays] = parts;
        drop(gone);
        let flow = uplink.flow();
        assert_eq!(
            (flow.bytes.outstanding, flow.bytes.waiting),
            (2 * BLOCK, 2 * BLOCK)
        );
    }
}
