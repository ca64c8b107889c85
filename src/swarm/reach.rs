//! Which candidates are worth handing on: those that can be reached from outside. A visitor's own network is nobody
//! else's business.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::swarm::{Candidate, candidate::Host};

/// The candidate as it is handed on, or none. With `lan` (intranets, tests) only what no visitor can have is dropped.
///
/// An IPv4 address in IPv6 clothes is undressed first: `::ffff:127.0.0.1` was a way around such rules in other servers
/// (CVE-2026-27624).
pub(crate) fn reachable(candidate: Candidate, lan: bool) -> Option<Candidate> {
    let Host::Address(address) = candidate.host else {
        return lan.then_some(candidate);
    };
    let address = address.to_canonical();
    let passes = !is_nobody(address) && (lan || !is_private(address));
    passes.then_some(Candidate {
        host: Host::Address(address),
        ..candidate
    })
}

/// Addresses that no single host has.
fn is_nobody(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    broadcast || address.is_unspecified() || address.is_multicast()
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

const fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let this_network = a == 0;
    let shared = a == 100 && b & 0xc0 == 64; // RFC 6598, behind a carrier's NAT
    let protocols = a == 192 && b == 0 && c == 0; // RFC 6890
    let benchmark = a == 198 && b & 0xfe == 18; // RFC 2544
    let reserved = a >= 240;
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || this_network
        || shared
        || protocols
        || benchmark
        || reserved
}

/// What is not global unicast, or wraps an IPv4 address that was not looked at.
const fn is_private_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = a & 0xe000 == 0x2000;
    let documentation = a == 0x2001 && b == 0x0db8;
    let teredo_or_6to4 = (a == 0x2001 && b == 0) || a == 0x2002;
    !global || documentation || teredo_or_6to4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::candidate::Kind;

    fn candidate(text: &str) -> Candidate {
        let host = Host::Address(text.parse().expect("an address"));
        Candidate {
            kind: Kind::Host,
            priority: 1,
            host,
            port: 9,
        }
    }

    #[test]
    fn only_what_is_reachable_from_outside_is_handed_on() {
        for public in [
            "1.1.1.1",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert_eq!(reachable(candidate(public), false), Some(candidate(public)));
        }
        let hidden = "10.0.0.1 127.0.0.1 169.254.1.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.255.255 \
            0.1.2.3 192.0.0.8 198.18.0.1 198.51.100.1 240.0.0.1 ::1 fe80::1 fc00::1 fd12::1 64:ff9b::a00:1 \
            2001:db8::1 2002:a00:1::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1";
        for private in hidden.split_whitespace() {
            assert_eq!(reachable(candidate(private), false), None, "{private}");
            assert!(
                reachable(candidate(private), true).is_some(),
                "{private} on an intranet"
            );
        }
    }

    #[test]
    fn nobodys_addresses_are_never_handed_on() {
        for nobody in [
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::",
            "ff02::1",
            "::ffff:224.0.0.1",
        ] {
            assert_eq!(reachable(candidate(nobody), true), None, "{nobody}");
        }
    }

    #[test]
    fn an_address_is_undressed() {
        assert_eq!(
            reachable(candidate("::ffff:1.1.1.1"), false),
            Some(candidate("1.1.1.1"))
        );
        let mdns = Candidate {
            host: Host::Mdns([7; 16]),
            ..candidate("1.1.1.1")
        };
        assert_eq!(reachable(mdns, false), None);
        assert_eq!(reachable(mdns, true), Some(mdns));
    }
}
