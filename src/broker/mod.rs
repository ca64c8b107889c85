//! Who meets whom: visitors of a hot page come in over one WebSocket each, and are introduced to a few of each other. The
//! broker carries what two visitors need to connect; and of the page a seed for each, and what the origin can spare.
//!
//! Pure, told the time and the randomness:
//! - [`Room`]: the visitors of one page, and the rules by which they meet and are no longer introduced;
//! - [`signal`]: the words between a visitor and the broker;
//! - [`TokenKey`]: who may enter which room;
//! - [`limit`]: what one stranger may take.
//!
//! Hands (feature `layer`): `Broker`, the handle to all rooms and the door for upgrades, the chunks of an `Origin` that it
//! hands out, and `Stun`, which tells a visitor its own address. All that a stranger can make grow has its bound in [`Settings`], with the reason for it.
//!
//! ```
//! use rand::{SeedableRng, rngs::SmallRng};
//! use tower_flashback::broker::{Envelope, Room, Settings, signal::FromBroker};
//!
//! let mut room = Room::new(Settings::default().rules());
//! let (mut rng, mut mail) = (SmallRng::seed_from_u64(1), Vec::new());
//! let (alice, _) = room.join(&mut rng, &mut mail)?;
//! let (bob, introductions) = room.join(&mut rng, &mut mail)?;
//!
//! assert_eq!(introductions, 1);
//! assert!(mail.contains(&Envelope { to: alice, message: FromBroker::Meet { visitor: bob } }));
//! assert!(mail.contains(&Envelope { to: bob, message: FromBroker::Meet { visitor: alice } }));
//! # Ok::<(), tower_flashback::broker::Full>(())
//! ```

mod acquaintance;
pub mod limit;
mod room;
mod settings;
pub mod signal;
mod token;

#[cfg(feature = "layer")]
mod door;
#[cfg(feature = "layer")]
mod hall;
#[cfg(feature = "layer")]
mod service;
#[cfg(feature = "layer")]
mod session;
#[cfg(feature = "layer")]
mod supply;
#[cfg(feature = "layer")]
mod udp;

pub use crate::content::RoomId;
pub use room::{Envelope, Full, Heard, Reported, Room, Rules, Sample, Seen};
#[cfg(feature = "layer")]
pub use service::{Broker, Totals};
pub use settings::{Settings, SettingsError};
#[cfg(feature = "layer")]
pub use supply::Origin;
pub use token::{TokenError, TokenKey, TokenKeyError};
#[cfg(feature = "layer")]
pub use udp::Stun;
