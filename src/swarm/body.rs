//! What two visitors who meet tell each other before they have a link: through the broker, or through a neighbour of both.

use crate::swarm::{Candidate, Identity, PeerFault, reach::reachable, wire::Reader};

/// The content of a signal. Whoever relays it reads it, and so relays nothing but this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Who the connection is.
    Identity(Identity),
    /// One place where it can be reached.
    Candidate(Candidate),
}

/// What was said in one direction of a pair: who meets says once who it is, and of a few places where it can be reached.
/// Every further candidate is an address that the other is made to send packets to, and it may be a victim's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said {
    identity: bool,
    candidates: u8,
}

impl Said {
    /// Whether that may be said as well; counts it if so.
    pub(crate) const fn may_add(&mut self, body: &Body) -> bool {
        match body {
            Body::Identity(_) => !std::mem::replace(&mut self.identity, true),
            Body::Candidate(_) if self.candidates < CANDIDATES => {
                self.candidates += 1;
                true
            }
            Body::Candidate(_) => false,
        }
    }
}

impl Body {
    /// The body as it is handed on and taken: a candidate only if it can be reached from outside.
    pub(crate) fn reachable(self, lan: bool) -> Option<Self> {
        match self {
            Self::Identity(identity) => Some(Self::Identity(identity)),
            Self::Candidate(candidate) => reachable(candidate, lan).map(Self::Candidate),
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Identity(identity) => {
                out.push(IDENTITY);
                identity.write(out);
            }
            Self::Candidate(candidate) => {
                out.push(CANDIDATE);
                candidate.write(out);
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        match reader.u8()? {
            IDENTITY => Identity::read(reader).map(Self::Identity),
            CANDIDATE => Candidate::read(reader).map(Self::Candidate),
            _ => Err(PeerFault::Value),
        }
    }
}

const IDENTITY: u8 = 1;
const CANDIDATE: u8 = 2;
/// Browsers find two to six.
const CANDIDATES: u8 = 8;
