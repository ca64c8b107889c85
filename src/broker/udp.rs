//! The site's own STUN server: it tells a visitor the address that it is seen from (RFC 8489, Binding), and nothing else
//! to nobody. It keeps no state of a sender but a shared bucket.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use metrics::counter;
use rtc_stun::{
    message::{BINDING_REQUEST, BINDING_SUCCESS, MESSAGE_HEADER_SIZE, Message, is_stun_message},
    xoraddr::XorMappedAddress,
};
use tokio::{net::UdpSocket, task::AbortHandle};

use crate::{
    broker::limit::{Buckets, Rate, Subscriber},
    telemetry::metric,
};

/// A STUN responder on its own task, which ends when this is dropped.
#[derive(Debug)]
pub struct Stun {
    local: SocketAddr,
    task: AbortHandle,
}

impl Stun {
    /// Binds the address and begins to answer, at most `per_second` requests of one subscriber.
    ///
    /// # Errors
    /// What the system says about the address.
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn bind(address: SocketAddr, per_second: u32) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let local = socket.local_addr()?;
        let task = tokio::spawn(serve(socket, per_second)).abort_handle();
        Ok(Self { local, task })
    }

    /// Where it answers.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl Drop for Stun {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, per_second: u32) {
    let rate = Rate {
        burst: per_second as f32,
        per_second: per_second as f32,
    };
    let (mut buckets, start) = (Buckets::new(BUCKETS), Instant::now());
    // One byte more than is read, so that a datagram that was cut shows.
    let mut datagram = [0; DATAGRAM_MAX + 1];
    loop {
        let (length, from) = match socket.recv_from(&mut datagram).await {
            Ok(received) => received,
            Err(error) => {
                // The system is out of something: asking again at once would only burn what is left.
                tracing::warn!(%error, "the STUN socket cannot receive");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let Some(answer) = answer(&datagram[..length], from) else {
            continue;
        };
        if buckets.take(Subscriber::from(from.ip()), rate, 1.0, start.elapsed()) {
            counter!(metric::STUN_REQUESTS).increment(1);
            // An answer that the system has no room for is lost, as any datagram may be; nobody waits for it.
            let _ = socket.try_send_to(&answer, from);
        } else {
            counter!(metric::SHED, "reason" => "stun").increment(1);
        }
    }
}

/// The answer to a Binding request; none to anything else.
///
/// Silence is what keeps this from being a weapon: an answer is 12 or 24 bytes longer than the smallest request, an
/// error answer would only tell a scanner that we are here, and well-known ports (below 1024) are where reflected
/// packets are aimed at, never where a browser sends from. Requests with attributes that must be understood, as the
/// checks of ICE have, are not for a server like this one.
fn answer(datagram: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let plausible = datagram.len() <= DATAGRAM_MAX && from.port() >= 1_024 && is_stun_message(datagram);
    if !plausible {
        return None;
    }
    let mut request = Message::new();
    request.unmarshal_binary(datagram).ok()?;
    let whole = MESSAGE_HEADER_SIZE + request.length as usize == datagram.len();
    let understood = request
        .attributes
        .0
        .iter()
        .all(|attribute| attribute.typ.optional());
    if request.typ != BINDING_REQUEST || !whole || !understood {
        return None;
    }
    let mut success = Message::new();
    // A visitor on IPv4 must not be told the IPv6 clothes that its address wears on a socket for both.
    let address = XorMappedAddress {
        ip: from.ip().to_canonical(),
        port: from.port(),
    };
    success
        .build(&[
            Box::new(request.transaction_id),
            Box::new(BINDING_SUCCESS),
            Box::new(address),
        ])
        .ok()?;
    Some(success.raw)
}

/// Bytes of the longest request that is read: a browser's has 20 to 60.
const DATAGRAM_MAX: usize = 128;

/// Shared buckets, 24 bytes each: a crowd of 10,000 in the same second rarely shares one.
const BUCKETS: usize = 1 << 15;

const BREATH: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use rtc_stun::message::Getter;

    use super::*;

    const ID: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

    fn request(kind: u16, attributes: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend((attributes.len() as u16).to_be_bytes());
        bytes.extend(0x2112_a442_u32.to_be_bytes());
        bytes.extend(ID);
        bytes.extend(attributes);
        bytes
    }

    fn from(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_binding_request_is_answered_as_the_rfc_shows() {
        // RFC 5769 §2.2: 192.0.2.1 port 32853, with the transaction id of that test.
        let id = [
            0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
        ];
        let mut bytes = request(0x0001, &[]);
        bytes[8..].copy_from_slice(&id);
        let answer = answer(&bytes, from("192.0.2.1:32853")).expect("an answer");
        assert_eq!(answer[..8], [0x01, 0x01, 0, 12, 0x21, 0x12, 0xa4, 0x42]);
        assert_eq!(answer[8..20], id);
        assert_eq!(
            answer[20..],
            [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]
        );
    }

    #[test]
    fn an_address_is_told_without_its_clothes() {
        for (seen, told) in [
            ("[::ffff:192.0.2.1]:5000", "192.0.2.1"),
            ("[2001:db8::1]:5000", "2001:db8::1"),
        ] {
            let mut message = Message::new();
            let bytes = answer(&request(0x0001, &[]), from(seen)).expect("an answer");
            assert!(bytes.len() <= 44);
            message.unmarshal_binary(&bytes).expect("is STUN");
            let mut address = XorMappedAddress::default();
            address.get_from(&message).expect("has the address");
            assert_eq!((address.ip.to_string(), address.port), (told.to_owned(), 5_000));
        }
    }

    #[test]
    fn optional_attributes_do_no_harm() {
        assert!(
            answer(
                &request(0x0001, &[0x80, 0x22, 0, 3, b'a', b'b', b'c', 0]),
                from("192.0.2.1:5000")
            )
            .is_some()
        );
    }

    #[test]
    fn everything_else_gets_silence() {
        let good = request(0x0001, &[]);
        let client = from("192.0.2.1:5000");
        for cut in 0..good.len() {
            assert_eq!(answer(&good[..cut], client), None, "cut to {cut}");
        }
        let mut longer = good.clone();
        longer.push(0);
        let mut other_cookie = good.clone();
        other_cookie[4] ^= 1;
        let mut claims_more = good.clone();
        claims_more[3] = 4;
        let silent = [
            ("a byte too many", longer),
            ("another cookie", other_cookie),
            ("a length that is not there", claims_more),
            ("an indication", request(0x0011, &[])),
            ("a success", request(0x0101, &[])),
            ("an error", request(0x0111, &[])),
            ("an allocation", request(0x0003, &[])),
            ("a change request", request(0x0001, &[0, 3, 0, 4, 0, 0, 0, 6])),
            (
                "a user name",
                request(0x0001, &[0, 6, 0, 4, b'a', b':', b'b', b'c']),
            ),
            ("half an attribute", request(0x0001, &[0x80, 0x22])),
            (
                "too long",
                request(0x0001, &[&[0x80, 0x22, 0, 200][..], &[0; 200]].concat()),
            ),
            (
                "DNS",
                b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x00\x00\x01\x00\x01".to_vec(),
            ),
        ];
        for (name, datagram) in silent {
            assert_eq!(answer(&datagram, client), None, "{name}");
        }
        assert_eq!(answer(&good, from("192.0.2.1:53")), None, "a well-known port");
    }
}
