//! The names of the broker's metrics.

pub(super) const VISITORS: &str = "flashback_visitors";
pub(super) const INTRODUCTIONS: &str = "flashback_introductions_total";
pub(super) const PUNCHES: &str = "flashback_punches_total";
pub(super) const PUNCH_SECONDS: &str = "flashback_punch_seconds";
pub(super) const STUN_REQUESTS: &str = "flashback_stun_requests_total";
pub(super) const SHED: &str = "flashback_shed_total";
pub(super) const FAULTS: &str = "flashback_faults_total";
pub(super) const GIVEN_RATIO: &str = "flashback_visitor_given_ratio";
pub(super) const BYTES: &str = "flashback_bytes_total";
