//! layer

pub mod csp;
pub mod gate;
pub mod inject;
