//! tower-flashback (skeleton)
pub mod broker;
pub mod content;
pub mod crowd;
pub mod swarm;
pub mod unit;

#[cfg(feature = "layer")]
mod flashback;
#[cfg(feature = "layer")]
pub mod layer;
#[cfg(feature = "proxy")]
pub mod proxy;
#[cfg(feature = "layer")]
pub mod telemetry;
