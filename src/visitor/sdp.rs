//! The few fields of a connection that travel, and the SDP text that the library wants. No text of a stranger ever becomes
//! SDP: only checked ICE characters and numbers do.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr},
};

use webrtc::peer_connection::{
    RTCIceCandidate, RTCIceCandidateInit, RTCIceCandidateType, RTCIceProtocol, RTCSessionDescription,
};

use crate::swarm::{
    Candidate, Identity,
    candidate::{Host, Kind},
};

/// The identity in a description that the library made; none if it lacks a part.
pub(super) fn identity(sdp: &str) -> Option<Identity> {
    let field = |name: &str| sdp.lines().find_map(|line| line.trim_end().strip_prefix(name));
    let mut fingerprint = [0; 32];
    let mut digits = field("a=fingerprint:sha-256 ")?.split(':');
    for byte in &mut fingerprint {
        *byte = u8::from_str_radix(digits.next()?, 16).ok()?;
    }
    Identity::new(field("a=ice-ufrag:")?, field("a=ice-pwd:")?, fingerprint).ok()
}

/// The description of a neighbour as an answer to our offer. Of the two, `passive` waits for the DTLS handshake.
///
/// Each line is needed by some implementation, and none more.
pub(super) fn answer(
    identity: &Identity,
    passive: bool,
) -> Result<RTCSessionDescription, webrtc::error::Error> {
    let mut fingerprint = String::with_capacity(95);
    for (at, byte) in identity.fingerprint().iter().enumerate() {
        // Writing to a string does not fail.
        let _ = write!(fingerprint, "{}{byte:02X}", if at == 0 { "" } else { ":" });
    }
    let (ufrag, pwd) = (identity.ufrag(), identity.pwd());
    let setup = if passive { "passive" } else { "active" };
    RTCSessionDescription::answer(format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
         c=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\na=setup:{setup}\r\na=sctp-port:5000\r\n"
    ))
}

/// A candidate that the library found; none for those that never travel: TCP, relayed.
pub(super) fn candidate(found: &RTCIceCandidate) -> Option<Candidate> {
    let kind = match found.typ {
        RTCIceCandidateType::Host => Kind::Host,
        RTCIceCandidateType::Srflx => Kind::Reflexive,
        _ => return None,
    };
    if found.protocol != RTCIceProtocol::Udp || found.port == 0 {
        return None;
    }
    let address: IpAddr = found.address.parse().ok()?;
    Some(Candidate {
        kind,
        priority: found.priority,
        host: Host::Address(address),
        port: found.port,
    })
}

/// The text of a neighbour's candidate. None for a name of its local network: nothing here resolves those, and the
/// neighbour reaches us first.
pub(super) fn candidate_text(candidate: &Candidate) -> Option<RTCIceCandidateInit> {
    let Host::Address(address) = candidate.host else {
        return None;
    };
    let kind = match candidate.kind {
        Kind::Host => "host".to_owned(),
        Kind::Reflexive => format!("srflx raddr {} rport 0", Ipv4Addr::UNSPECIFIED),
    };
    Some(RTCIceCandidateInit {
        candidate: format!(
            "candidate:1 1 udp {} {address} {} typ {kind}",
            candidate.priority, candidate.port
        ),
        sdp_mid: Some("0".to_owned()),
        ..RTCIceCandidateInit::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Identity {
        Identity::new("abcd", "0123456789abcdefghijklmn", [0xa5; 32]).expect("is allowed")
    }

    #[test]
    fn an_identity_survives_its_description() {
        let description = answer(&some(), true).expect("is SDP");
        assert_eq!(identity(&description.sdp), Some(some()));
        assert!(
            description.sdp.contains("a=setup:passive\r\n"),
            "{}",
            description.sdp
        );
    }

    #[test]
    fn a_description_that_lacks_a_part_is_none() {
        let description = answer(&some(), false).expect("is SDP").sdp;
        for part in ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:sha-256 "] {
            assert_eq!(identity(&description.replace(part, "a=x-")), None, "{part}");
        }
        assert_eq!(
            identity(&description.replace("A5:A5", "A5")),
            None,
            "a short fingerprint"
        );
    }

    #[test]
    fn names_of_local_networks_are_left_out() {
        let mut candidate = Candidate {
            kind: Kind::Reflexive,
            priority: 7,
            host: Host::Address(IpAddr::from([192, 0, 2, 1])),
            port: 9,
        };
        let text = candidate_text(&candidate).expect("is an address").candidate;
        assert_eq!(
            text,
            "candidate:1 1 udp 7 192.0.2.1 9 typ srflx raddr 0.0.0.0 rport 0"
        );
        candidate.host = Host::Mdns([0; 16]);
        assert_eq!(candidate_text(&candidate), None);
    }
}
