//! The names of the broker's metrics, and their labels. A label is never a visitor's, a room's or a page's name. What is
//! known from visitors only is marked `by="visitors"`: a liar can move it.

/// Gauge: visitors in all rooms.
pub(super) const VISITORS: &str = "flashback_visitors";
/// Counter, `via="broker"`: pairs that were introduced.
pub(super) const INTRODUCTIONS: &str = "flashback_introductions_total";
/// Counter, `outcome="open"|"failed"`: introductions whose outcome was told.
pub(super) const PUNCHES: &str = "flashback_punches_total";
/// Histogram, seconds: from the introduction to the open link.
pub(super) const PUNCH_SECONDS: &str = "flashback_punch_seconds";
/// Counter: STUN requests that were answered.
pub(super) const STUN_REQUESTS: &str = "flashback_stun_requests_total";
/// Counter, `reason`: visitors, sockets and requests that were turned away.
pub(super) const SHED: &str = "flashback_shed_total";
/// Counter, `kind` (a `PeerFault`, `frame` or `report`), `by="broker"|"visitors"`.
pub(super) const FAULTS: &str = "flashback_faults_total";
/// Histogram: what a visitor gave of what it got, at its leaving.
pub(super) const GIVEN_RATIO: &str = "flashback_visitor_given_ratio";
/// Counter, `source="peer"`, `by="visitors"`: payload bytes.
pub(super) const BYTES: &str = "flashback_bytes_total";
