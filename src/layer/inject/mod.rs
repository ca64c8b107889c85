//! Puts the client into a page: the snippet first thing in the head, marks on the media that are held, and response
//! headers that stay true. Streams; a page is never kept whole.
//!
//! | part | what it does |
//! |---|---|
//! | [`Snippet`] | style, data and script tag for one visitor |
//! | [`Rewriter`] | bytes of the page in, bytes of the carried page out |
//! | [`Injected`] | the same around an [`http_body::Body`] |
//! | [`Variant`] | headers: validators, caching, what no longer fits the body |
//! | [`Carried`] | the URLs that may be held |
//!
//! Whether a page may be touched at all is decided before, in [`gate`](super::gate) and [`csp`](super::csp). If something
//! fails on the way, the rest of the page passes as it is (law 6), and [`Outcome::fault`] says so.

mod body;
mod carried;
mod charset;
mod head;
mod markup;
mod prologue;
mod reference;
mod rewriter;
mod snippet;

pub use body::Injected;
pub use carried::Carried;
pub use head::{Variant, release_links};
pub use rewriter::{Fault, Outcome, Plan, Rewriter};
pub use snippet::{Objects, Snippet, Stun};
