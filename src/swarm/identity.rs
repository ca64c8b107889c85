//! Who a connection is: the credentials and the certificate of one RTCPeerConnection, which is all of its SDP that two
//! visitors must tell each other. It is no SDP; each side writes the other's description from it.

use crate::swarm::{PeerFault, wire::Reader};

/// ICE credentials (RFC 8445 §5.3) and the SHA-256 fingerprint of the DTLS certificate (RFC 8122 §5).
///
/// The text holds ICE characters only (`A–Z a–z 0–9 + /`), so a stranger cannot smuggle a line into our SDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    ufrag: Box<str>,
    pwd: Box<str>,
    fingerprint: [u8; 32],
}

impl Identity {
    /// An identity, if the credentials are ones that ICE allows and the wire can carry.
    ///
    /// # Errors
    /// [`PeerFault::Identity`] if `ufrag` is not 4 to 32 or `pwd` not 22 to 64 ICE characters.
    pub fn new(ufrag: &str, pwd: &str, fingerprint: [u8; 32]) -> Result<Self, PeerFault> {
        let valid = UFRAG.contains(&ufrag.len())
            && PWD.contains(&pwd.len())
            && ufrag.bytes().chain(pwd.bytes()).all(|byte| ICE.contains(&byte));
        if !valid {
            return Err(PeerFault::Identity);
        }
        Ok(Self {
            ufrag: ufrag.into(),
            pwd: pwd.into(),
            fingerprint,
        })
    }

    /// The ICE user name fragment.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The ICE password.
    #[must_use]
    pub fn pwd(&self) -> &str {
        &self.pwd
    }

    /// SHA-256 over the DER of the certificate.
    #[must_use]
    pub const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let shape = Shape::of(&self.ufrag, &self.pwd);
        out.push(shape as u8);
        for text in [&self.ufrag, &self.pwd] {
            match shape {
                Shape::Six => write_six(out, text),
                Shape::Hex => write_hex(out, text),
                Shape::Text => {
                    out.push(text.len() as u8);
                    out.extend_from_slice(text.as_bytes());
                }
            }
        }
        out.extend_from_slice(&self.fingerprint);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        let shape = Shape::from_byte(reader.u8()?)?;
        let (ufrag, pwd) = match shape {
            Shape::Six => (read_six(reader.take(3)?), read_six(reader.take(18)?)),
            Shape::Hex => (read_hex(reader.take(4)?), read_hex(reader.take(16)?)),
            Shape::Text => (read_text(reader)?, read_text(reader)?),
        };
        let identity = Self::new(&ufrag, &pwd, reader.array()?)?;
        // One identity, one spelling.
        if Shape::of(&identity.ufrag, &identity.pwd) != shape {
            return Err(PeerFault::Identity);
        }
        Ok(identity)
    }
}

/// How the credentials are packed. The first two are what Chromium and Firefox make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Six = 0,
    Hex = 1,
    Text = 2,
}

impl Shape {
    fn of(ufrag: &str, pwd: &str) -> Self {
        let hex = |text: &str| text.bytes().all(|byte| HEX.contains(&byte));
        match (ufrag.len(), pwd.len()) {
            (4, 24) => Self::Six,
            (8, 32) if hex(ufrag) && hex(pwd) => Self::Hex,
            _ => Self::Text,
        }
    }

    const fn from_byte(byte: u8) -> Result<Self, PeerFault> {
        match byte {
            0 => Ok(Self::Six),
            1 => Ok(Self::Hex),
            2 => Ok(Self::Text),
            _ => Err(PeerFault::Identity),
        }
    }
}

/// Four characters in three bytes. Both lengths that are packed so are multiples of four.
fn write_six(out: &mut Vec<u8>, text: &str) {
    for group in text.as_bytes().chunks(4) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| (bits << 6) | position(ICE, *byte));
        out.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
}

fn read_six(bytes: &[u8]) -> String {
    let (groups, _) = bytes.as_chunks::<3>();
    let bits = groups.iter().map(|[a, b, c]| u32::from_be_bytes([0, *a, *b, *c]));
    bits.flat_map(|bits| [18, 12, 6, 0].map(|shift| char::from(ICE[(bits >> shift) as usize & 63])))
        .collect()
}

fn write_hex(out: &mut Vec<u8>, text: &str) {
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    out.extend(
        pairs
            .iter()
            .map(|[high, low]| (position(HEX, *high) << 4 | position(HEX, *low)) as u8),
    );
}

fn read_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(HEX[usize::from(digit)]))
        .collect()
}

fn read_text(reader: &mut Reader<'_>) -> Result<String, PeerFault> {
    let length = reader.u8()?;
    let bytes = reader.take(usize::from(length))?;
    String::from_utf8(bytes.to_vec()).map_err(|_| PeerFault::Identity)
}

/// Only asked for characters that [`Identity::new`] let in.
fn position(alphabet: &[u8], byte: u8) -> u32 {
    alphabet
        .iter()
        .position(|letter| *letter == byte)
        .unwrap_or_default() as u32
}

const UFRAG: std::ops::RangeInclusive<usize> = 4..=32;
const PWD: std::ops::RangeInclusive<usize> = 22..=64;
/// The ICE characters in the order of base64.
const ICE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789abcdef";
