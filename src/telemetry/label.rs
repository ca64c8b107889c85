//! The labels of the metrics with every value that they can have. `tests/metrics.rs` compares them with what the parts say.

use super::metric::{INJECT, INTERNAL, ORIGIN, ORIGIN_TIMEOUT};

/// A label and every value that it can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// The closed set of its values.
    pub values: &'static [&'static str],
}

const STATES: &[&str] = &["calm", "hot", "cooling"];

/// The state of a page.
pub(super) const STATE: Label = Label {
    name: "state",
    values: STATES,
};
/// The state that a page came to.
pub(super) const TO: Label = Label {
    name: "to",
    values: STATES,
};
/// The rule that decided.
pub(super) const RULE: Label = Label {
    name: "rule",
    values: &["surge", "wave", "quiet", "elapsed", "manual"],
};
/// Who sent bytes.
pub(super) const SOURCE: Label = Label {
    name: "source",
    values: &["origin", "store", "peer"],
};
/// Who says so, where it is not the server's own measurement of itself: what visitors report, a liar can move.
pub(super) const BY: Label = Label {
    name: "by",
    values: &["broker", "visitors"],
};
/// Who says how many bytes: of those that visitors send each other nobody else knows.
pub(super) const REPORTED: Label = Label {
    name: "by",
    values: &["visitors"],
};
/// Who introduced two visitors. One value so far: a neighbour that introduces others will be the second.
pub(super) const VIA: Label = Label {
    name: "via",
    values: &["broker", "peer"],
};
/// What became of an introduction.
pub(super) const OUTCOME: Label = Label {
    name: "outcome",
    values: &["open", "failed"],
};
/// How far a page was carried.
pub(super) const DEPTH: Label = Label {
    name: "depth",
    values: &["assist", "media"],
};

/// Why a page (the first lines) or an object went through as it was.
#[rustfmt::skip]
pub(super) const PASS_REASON: Label = Label {
    name: "reason",
    values: &[
        "method", "range", "not_navigation", "save_data", "privacy_control", "bot", "status", "content_type", "charset",
        "content_encoding", "no_transform", "attachment", "csp_script", "csp_connect", "csp_webrtc", "csp_sandbox",
        "csp_trusted_types", "csp_worker", "integrity_policy",
        "authorization", "cookie", "precondition", "private", "no_store", "set_cookie", "vary", "stale", "encoding",
        "type", "size", "malformed", "differs", "busy", "crowded", "slow", "address",
    ],
};

/// What failed: the origin, a part of ours, or (the rest) a visitor.
#[rustfmt::skip]
pub(super) const FAULT: Label = Label {
    name: "kind",
    values: &[
        ORIGIN, ORIGIN_TIMEOUT, INJECT, INTERNAL,
        "short", "long", "type", "version", "varint", "ranges", "chunk", "block", "credit", "identity", "candidate",
        "value", "room", "order", "unasked", "digest", "taker", "flood", "frame", "report",
    ],
};

/// Which bound was reached, or why a visitor was not let in.
#[rustfmt::skip]
pub(super) const SHED_REASON: Label = Label {
    name: "reason",
    values: &[
        "address", "sockets", "rooms", "full", "calm", "drain", "origin", "token_malformed", "token_forged",
        "token_expired", "join", "idle", "flood", "slow", "stun", "saturated",
    ],
};
