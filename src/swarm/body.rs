//! What two visitors who meet tell each other before they have a link: through the broker, or through a neighbour of both.

use crate::swarm::{Candidate, Identity, PeerFault, wire::Reader};

/// The content of a signal. Whoever relays it reads it, and so relays nothing but this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Who the connection is.
    Identity(Identity),
    /// One place where it can be reached.
    Candidate(Candidate),
}

impl Body {
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
