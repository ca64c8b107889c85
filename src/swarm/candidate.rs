//! Where a connection can be reached: an ICE candidate without what is always the same (UDP, component 1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::swarm::{PeerFault, wire::Reader};

/// One address at which a visitor may be reached (RFC 8445 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// How the visitor learnt the address.
    pub kind: Kind,
    /// The ICE priority.
    pub priority: u32,
    /// The address.
    pub host: Host,
    /// The UDP port, never 0.
    pub port: u16,
}

/// How a visitor learnt its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From its own interface.
    Host,
    /// From a STUN server.
    Reflexive,
}

/// An address, or the name that a browser hides it behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// An IP address.
    Address(IpAddr),
    /// `<uuid>.local`, resolvable by multicast DNS on the same network only.
    Mdns([u8; 16]),
}

impl Candidate {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let family = match self.host {
            Host::Mdns(_) => 0,
            Host::Address(IpAddr::V4(_)) => 4,
            Host::Address(IpAddr::V6(_)) => 6,
        };
        let kind = match self.kind {
            Kind::Host => 0,
            Kind::Reflexive => 0x10,
        };
        out.push(kind | family);
        out.extend_from_slice(&self.priority.to_be_bytes());
        match self.host {
            Host::Mdns(uuid) => out.extend_from_slice(&uuid),
            Host::Address(IpAddr::V4(address)) => out.extend_from_slice(&address.octets()),
            Host::Address(IpAddr::V6(address)) => out.extend_from_slice(&address.octets()),
        }
        out.extend_from_slice(&self.port.to_be_bytes());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        let (kind, family) = match reader.u8()? {
            byte @ (0x00 | 0x04 | 0x06) => (Kind::Host, byte),
            byte @ (0x14 | 0x16) => (Kind::Reflexive, byte & 0x0f),
            _ => return Err(PeerFault::Candidate),
        };
        let priority = reader.u32()?;
        let host = match family {
            4 => Host::Address(Ipv4Addr::from(reader.array::<4>()?).into()),
            6 => Host::Address(Ipv6Addr::from(reader.array::<16>()?).into()),
            _ => Host::Mdns(reader.array()?),
        };
        let port = reader.u16()?;
        if port == 0 {
            return Err(PeerFault::Candidate);
        }
        Ok(Self {
            kind,
            priority,
            host,
            port,
        })
    }
}
