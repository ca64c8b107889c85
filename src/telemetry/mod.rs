//! What an operator sees of the crowd: metrics, events, the status and the listener that shows them. It records
//! nothing by itself and decides nothing; the parts that act call the macros of `metrics` with names from [`metric`].
//!
//! | file | what |
//! |---|---|
//! | [`metric`] | the one list of all metrics: dashboards, documentation and recorder are checked against it |
//! | [`event`] | a change of state of a page, as `/events` and webhooks say it |
//! | [`status`] | the shapes of `/status.json` and `/room.json` |
//! | [`admin`] | the routes for operators; mount them where nobody else can reach |

pub mod admin;
pub mod event;
pub mod metric;
pub mod status;

mod label;
mod rfc3339;
pub(crate) mod series;

pub use event::{Event, Referrer};
pub use label::Label;
pub use status::Status;
