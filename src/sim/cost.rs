//! What a message weighs on a link, its own bytes and those of every layer below, and how many round trips a way takes. Figures are for
//! IPv4; a link's rate is that of IP packets.

use std::time::Duration;

use crate::{
    content::{BLOCK, CHUNK, DIGEST},
    sim::Scenario,
    swarm::{
        Body, Message,
        message::{BLOCKS, Bundle, Relayed, Signal},
    },
    unit::BitRate,
};

/// Bytes of a message between visitors, without what surrounds it.
pub(super) fn own(message: &Message) -> u64 {
    match message {
        Message::Hello(_) => 14,
        // Gaps and lengths of a page of less than 128 chunks are a byte each.
        Message::Have(have) => 3 + 2 * have.ranges.runs().len() as u64,
        Message::Ask(_) => 7,
        Message::Cancel(_) | Message::Lack(_) => 5,
        Message::Proof(_) => PROOF + DIGEST as u64 * u64::from(BLOCKS),
        Message::Block(block) => BLOCK_HEAD + block.bytes.len() as u64,
        Message::Seek(seek) => 2 + 4 * seek.known.len() as u64,
        Message::Meet(_) => 6,
        Message::Signal(Signal { body, .. }) | Message::Relayed(Relayed { body, .. }) => {
            5 + match body {
                Body::Identity(_) => 55,
                Body::Candidate(_) => 12,
            }
        }
        Message::Learn => 1,
        Message::Digests(list) => 6 + (DIGEST * list.digests.len()) as u64,
    }
}

/// Bytes on the wire of messages of so many bytes that leave together, and their packets.
pub(super) const fn together(own: u64) -> (u64, u64) {
    let packets = own.div_ceil(Bundle::MAX as u64);
    // A data chunk ends at a multiple of four bytes (RFC 9260 §3.2).
    (own.next_multiple_of(4) + packets * PACKET, packets)
}

/// Bytes on the wire of so many bytes over TLS over TCP.
pub(super) const fn origin(bytes: u64) -> u64 {
    bytes + bytes.div_ceil(SEGMENT) * TCP + bytes.div_ceil(16 * 1024) * TLS
}

/// How long after somebody comes the origin has its request: TCP and TLS 1.3, each a round trip, and half of one for the request.
pub(super) const fn request(rtt: Duration) -> Duration {
    Duration::from_micros(rtt.as_micros() as u64 * 5 / 2)
}

/// How long the signalling socket takes to open: half a round trip, behind two of TCP and TLS if it is a connection of its own.
pub(super) const fn socket(rtt: Duration, alone: bool) -> Duration {
    Duration::from_micros(rtt.as_micros() as u64 * if alone { 5 } else { 1 } / 2)
}

/// How long a link takes that the broker introduces: a round trip through it, and two of handshakes.
pub(super) const fn link(rtt: Duration) -> Duration {
    Duration::from_micros(rtt.as_micros() as u64 * 3)
}

/// Bytes on the wire for each of a chunk from the origin.
pub(super) const fn of_origin() -> f64 {
    origin(CHUNK as u64 + 5 + 4) as f64 / CHUNK as f64
}

/// Bytes on the wire for each of a chunk from a neighbour: its proof, its blocks, and what acknowledges them.
pub(super) const fn of_neighbour() -> f64 {
    let (blocks, proof) = (BLOCKS as u64, PROOF + DIGEST as u64 * BLOCKS as u64);
    let (proof, packets) = together(proof);
    let (block, more) = together(BLOCK_HEAD + BLOCK as u64);
    let acknowledged = (packets + more * blocks) * ACKNOWLEDGEMENT;
    (proof + block * blocks + acknowledged) as f64 / CHUNK as f64
}

/// What only the origin can send, with the digests of chunks or without.
pub(super) const fn shell(scenario: &Scenario, unlisted: bool) -> u64 {
    let heads = if scenario.http1 { HEADS_OF_HTTP1 } else { 0 };
    let listed = if unlisted { list(scenario.page) } else { 0 };
    heads + scenario.own.saturating_sub(listed)
}

/// Bytes of the digests of all chunks, as they stand in a page.
pub(super) const fn list(page: u64) -> u64 {
    page.div_ceil(CHUNK as u64) * IN_PAGE
}

/// How long a link of this rate takes to send so many bytes.
pub(super) const fn time(bytes: u64, rate: BitRate) -> Duration {
    Duration::from_nanos(bytes * 8_000_000_000 / rate.bits_per_second())
}

/// What stands ahead of a proof's digests, and of a block's bytes.
const PROOF: u64 = 5;
const BLOCK_HEAD: u64 = 7;
/// IPv4 20, UDP 8, DTLS 1.2 with AES-GCM 37, SCTP 12, its data chunk 16: what leaves for one neighbour at one moment is one packet.
const PACKET: u64 = 93;
/// An SCTP acknowledgement (RFC 9260 §6.2) is a packet with a chunk of 16 bytes, and answers two packets. That some go along with
/// other packets is left out: it would save 0.3 %.
pub(super) const ACKNOWLEDGEMENT: u64 = (20 + 8 + 37 + 12 + 16) / 2;
/// To open a link, each way: ICE checks and answers (6 of 100 bytes), a DTLS handshake with ECDSA certificates (1.2 KB), SCTP's (300).
pub(super) const HANDSHAKE: u64 = 2_100;
/// What is sent in vain where two visitors cannot reach each other.
pub(super) const CHECKS: u64 = 600;
/// To introduce, from the broker to each side and from each side to the broker: Meet, Identity and two candidates, in two
/// packets of TLS over TCP.
pub(super) const INTRODUCTION: u64 = 5 + 60 + 2 * 18 + 2 * (TCP + TLS) + 8;
/// So much less to a newcomer: it is welcomed and introduced in one packet.
pub(super) const WELCOMED: u64 = TCP + TLS;
/// A short message over the signalling socket, and its packet.
pub(super) const SIGNAL: u64 = 20 + TCP + TLS;
/// To open the signalling socket as one more stream of the connection (RFC 8441): the answer's head, Welcome.
pub(super) const SOCKET: u64 = 250;
/// To open it as a connection of its own: TLS resumed as well.
pub(super) const CONNECTION: u64 = 700;
/// Bytes of a digest in a page: 16 in Base64, compressed. Of 72 chunks they were 18.4.
const IN_PAGE: u64 = 18;
/// So much longer are three heads that HTTP/2 does not compress.
const HEADS_OF_HTTP1: u64 = 350;
/// IPv4 20, TCP 32 with timestamps.
const TCP: u64 = 52;
pub(super) const SEGMENT: u64 = 1_448;
const TLS: u64 = 22;

const _: () = assert!(
    BLOCK as u64 + BLOCK_HEAD < Bundle::MAX as u64,
    "a block is one packet"
);
const _: () = assert!(Bundle::MAX as u64 + PACKET == 1_200, "and so is a full bundle");
