//! What the layer needs of the broker. The two do not know each other; `Flashback` introduces them.

use std::{fmt, net::IpAddr, pin::Pin, time::Duration};

use axum::body::Body;
use http::{Request, Response};

use crate::content::RoomId;

/// Opens rooms for hot pages and lets visitors in.
pub(crate) trait Introducer: fmt::Debug + Send + Sync {
    /// A room for a page that has become hot; false if there is none to be had. Opening it again changes nothing.
    fn open(&self, room: RoomId) -> bool;

    /// The page is calm: its visitors are told to leave.
    fn close(&self, room: RoomId);

    /// The right of one visitor to enter `room`, from the prefix of its address, for [`token_life`](Self::token_life).
    fn token(&self, room: RoomId, visitor: IpAddr) -> String;

    /// How long a token is good.
    fn token_life(&self) -> Duration;

    /// Answers the request for a signalling socket.
    fn upgrade(
        &self,
        request: Request<Body>,
        visitor: IpAddr,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

    /// Where the page's visitors find the STUN responder: a port of the page's host, or a whole URL.
    fn stun(&self) -> Option<Stun>;

    /// Whether candidates of private networks are of use here.
    fn lan(&self) -> bool;

    /// Visitors in `room`, and the payload bytes that they report to have got from each other.
    fn attendance(&self, room: RoomId) -> Attendance;

    /// Whether what is sent by HTTP is so far ahead of the origin's uplink that the way out had better be taken later. Never
    /// where the uplink is not known.
    fn is_saturated(&self) -> bool;

    /// Payload bytes that visitors of all rooms, closed ones included, report to have got from each other.
    fn peer_bytes(&self) -> u64;
}

/// Where a STUN responder answers.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub(crate) enum Stun {
    /// A UDP port of the host that the page came from.
    Port(u16),
    /// A `stun:` URL.
    Url(String),
}

/// Who is in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attendance {
    /// Sockets open now.
    pub(crate) visitors: u64,
    /// Payload bytes received from peers, as reported by visitors.
    pub(crate) peer_bytes: u64,
}
