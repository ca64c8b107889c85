//! What becomes peer-to-peer: which responses may be shared at all, their verified copies, and one fetch from the origin for all who ask
//! at once. It decides and keeps; it holds no socket, clock or task, and is told the time.
//!
//! A hot object's way through it:
//!
//! 1. [`Store::lookup`] says what to do with a GET: answer from a stored [`Object`], follow a fetch under way, lead one, or pass.
//! 2. A [`Leader`] prepares its visitor's own request ([`Leader::prepare`]), sends it, and judges the head of the response
//!    ([`Leader::head`]) by RFC 9111. What may not be shared goes to that visitor alone, through [`relay()`].
//! 3. A [`Writer`] takes the body. Followers read it as it grows if nothing can come in between: length known, freshness explicit.
//!    Else they wait for its end: a body may prove too large, and two fetches without cookies must agree first.
//! 4. Complete, it is an [`Object`]: its [`Digests`] name it and its chunks, and a [`Page`] that refers to it lists it in its
//!    [`Manifest`] if visitors may carry it.
//!
//! Nothing here makes a visitor wait for good: dropping a leader or a writer wakes everybody, and the deadline of a [`Follower`] is its
//! caller's.
//!
//! ```
//! use std::time::SystemTime;
//! use http::{HeaderMap, Response, header};
//! use tower_flashback::content::{Encoding, Lookup, ObjectKey, Settings, Store, Verdict};
//!
//! let store = Store::new(Settings::default())?;
//! let key = ObjectKey::new("example.org", "/poster.jpg", Encoding::Identity);
//! let (request, now) = (HeaderMap::new(), SystemTime::UNIX_EPOCH);
//!
//! // The first of a crowd leads; it would send its request now.
//! let Lookup::Lead(leader) = store.lookup(&key, &request, now) else { panic!("the store is empty") };
//! let response = Response::builder().header(header::CACHE_CONTROL, "max-age=60").header(header::CONTENT_LENGTH, 4);
//! let (head, body) = response.body("JPEG")?.into_parts();
//!
//! // What comes back is shared with everybody.
//! let Verdict::Fill(mut writer) = leader.head(&head, None, now) else { panic!("it may be shared") };
//! writer.push(body.as_bytes(), now)?;
//! let object = writer.finish(now).expect("it is complete");
//! assert!(matches!(store.lookup(&key, &request, now), Lookup::Fresh(_)));
//! assert_eq!(object.answer(&request, now).headers()[header::CONTENT_LENGTH], "4");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod answer;
mod budget;
mod buffer;
mod cache_control;
mod chunk;
mod claim;
mod condition;
mod eligible;
mod filling;
mod follower;
mod freshness;
mod hasher;
mod head;
mod key;
mod kind;
mod leader;
mod manifest;
mod marks;
mod object;
mod page;
mod range;
mod reader;
mod reason;
mod relay;
mod room_id;
mod settings;
mod shelf;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use answer::Stream;
pub use chunk::{BLOCK, CHUNK, DIGEST, Digest, DigestError, block_digests, chunks_of, verify};
pub use follower::{Follower, Outcome, ROUNDS};
pub use freshness::{Freshness, Use};
pub use hasher::{Digests, Hasher};
pub use key::{Encoding, ObjectKey};
pub use leader::{Leader, Verdict};
pub use manifest::{Admission, Entry, INLINE, Manifest};
pub use object::Object;
pub use page::{Page, Reference};
pub use reader::{BrokenOff, Reader};
pub use reason::Reason;
pub use relay::{Relay, relay};
pub use room_id::RoomId;
pub use settings::{Settings, SettingsError};
pub use store::{Lookup, Store};
pub use writer::{Stop, Writer};
