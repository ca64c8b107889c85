//! The proxy through real sockets on port 0: what reaches the origin, what reaches the visitor, and what never does.
#![allow(clippy::unwrap_used, missing_docs)]

mod bounds;
mod connect;
mod failure;
mod framing;
mod harness;
mod headers;
mod smuggling;
mod tls;
mod upgrade;
