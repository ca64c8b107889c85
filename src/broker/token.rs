//! Tokens: what lets a visitor of a hot page, and nobody else, into its room. They come with the page's HTML. A token is
//! no secret kept from the visitor, and says nothing about who the visitor is.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::{fmt, net::IpAddr, str::FromStr};

use hmac::{Hmac, KeyInit, Mac};
use rand::CryptoRng;
use sha2::Sha256;

use crate::{
    broker::{RoomId, signal::TOKEN},
    swarm::wire::Reader,
};

/// The key that tokens are made and checked with. Instances that share visitors share it; otherwise it is random, and
/// a restart makes the old tokens void.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey([u8; 32]);

/// The token opens no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Another version, or none.
    #[error("the token is malformed")]
    Malformed,
    /// Not made with this key, for this room, or for a visitor at this address.
    #[error("the token is forged, or was given to another address")]
    Forged,
    /// Its time is over.
    #[error("the token expired {0} s ago")]
    Expired(u64),
}

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token key has 64 hexadecimal digits, this has {0} characters or others")]
pub struct TokenKeyError(usize);

impl TokenKey {
    /// A random key.
    #[must_use]
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        Self(key)
    }

    /// A token for the room, good until `expiry` (Unix seconds), for a visitor near that address.
    #[must_use]
    pub fn make(&self, room: RoomId, expiry: u32, client: IpAddr) -> [u8; TOKEN] {
        let mut token = [0; TOKEN];
        token[0] = VERSION;
        token[1..9].copy_from_slice(&room.0);
        token[9..BODY].copy_from_slice(&expiry.to_be_bytes());
        let mac = self.mac(&token[..BODY], client).finalize().into_bytes();
        token[BODY..].copy_from_slice(&mac[..TOKEN - BODY]);
        token
    }

    /// The room that the token opens at `now` (Unix seconds) for a visitor at that address.
    ///
    /// # Errors
    /// [`TokenError`]. A forged token is told so before an expired one: only who holds a true token learns its age.
    pub fn check(&self, token: &[u8; TOKEN], client: IpAddr, now: u64) -> Result<RoomId, TokenError> {
        let (body, mac) = token.split_at(BODY);
        let mut fields = Reader::new(body);
        let malformed = |_| TokenError::Malformed;
        let version = fields.u8().map_err(malformed)?;
        let (room, expiry) = (
            fields.array().map_err(malformed)?,
            fields.u32().map_err(malformed)?,
        );
        if version != VERSION {
            return Err(TokenError::Malformed);
        }
        // Compares in constant time: the place of the first wrong byte must not be measurable.
        self.mac(body, client)
            .verify_truncated_left(mac)
            .map_err(|_| TokenError::Forged)?;
        let expiry = u64::from(expiry);
        if expiry < now {
            return Err(TokenError::Expired(now - expiry));
        }
        Ok(RoomId(room))
    }

    fn mac(&self, body: &[u8], client: IpAddr) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(body);
        // The network, not the host: addresses change within it, and a stolen token is of no use outside of it.
        match client.to_canonical() {
            IpAddr::V4(address) => {
                mac.update(&[4]);
                mac.update(&address.octets()[..3]);
            }
            IpAddr::V6(address) => {
                mac.update(&[6]);
                mac.update(&address.octets()[..6]);
            }
        }
        mac
    }
}

impl FromStr for TokenKey {
    type Err = TokenKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || TokenKeyError(text.chars().count());
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return Err(fault());
        };
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let bytes: Option<Vec<u8>> = pairs
            .iter()
            .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
            .collect();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(fault)
    }
}

/// Never shows the key.
impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

const VERSION: u8 = 1;
/// Version, room and expiry: what the MAC covers besides the address.
const BODY: usize = 13;

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    const ROOM: RoomId = RoomId([1, 2, 3, 4, 5, 6, 7, 8]);

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn key() -> TokenKey {
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
            .parse()
            .expect("a key")
    }

    #[test]
    fn a_token_opens_its_room_until_it_expires() {
        let token = key().make(ROOM, 1_000, address("192.0.2.7"));
        assert_eq!(key().check(&token, address("192.0.2.7"), 0), Ok(ROOM));
        assert_eq!(key().check(&token, address("192.0.2.7"), 1_000), Ok(ROOM));
        assert_eq!(
            key().check(&token, address("192.0.2.7"), 1_001),
            Err(TokenError::Expired(1))
        );
    }

    #[test]
    fn a_token_is_as_the_protocol_says() {
        // Computed with Python's hmac over 01, the room, 000003e8, 04 and c00002.
        let token = key().make(ROOM, 1_000, address("192.0.2.7"));
        let hex: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "010102030405060708000003e8ec450a972d0d26f91633ccf5c8ddd0e1");
        let token = key().make(ROOM, 1_000, address("2001:db8:1:2::3"));
        let hex: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "010102030405060708000003e868f7bdda32a16aebeef0d8d8c76236b0");
    }

    #[test]
    fn a_token_is_bound_to_the_network() {
        let token = key().make(ROOM, 1_000, address("192.0.2.7"));
        assert_eq!(key().check(&token, address("::ffff:192.0.2.9"), 0), Ok(ROOM));
        assert_eq!(
            key().check(&token, address("192.0.3.7"), 0),
            Err(TokenError::Forged)
        );
        let token = key().make(ROOM, 1_000, address("2001:db8:1:2::3"));
        assert_eq!(key().check(&token, address("2001:db8:1:9::1"), 0), Ok(ROOM));
        assert_eq!(
            key().check(&token, address("2001:db8:2::3"), 0),
            Err(TokenError::Forged)
        );
    }

    #[test]
    fn every_changed_bit_is_found() {
        let (client, token) = (
            address("192.0.2.7"),
            key().make(ROOM, 1_000, address("192.0.2.7")),
        );
        for bit in 0..TOKEN * 8 {
            let mut changed = token;
            changed[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 8 {
                TokenError::Malformed
            } else {
                TokenError::Forged
            };
            assert_eq!(key().check(&changed, client, 0), Err(expected), "bit {bit}");
        }
        let other = TokenKey::random(&mut StdRng::seed_from_u64(7));
        assert_eq!(other.check(&token, client, 0), Err(TokenError::Forged));
    }

    #[test]
    fn a_key_is_read_whole_and_never_shown() {
        for text in [
            "",
            "00",
            &"0".repeat(63),
            &"0".repeat(66),
            &"g".repeat(64),
            &"é".repeat(32),
        ] {
            assert!(text.parse::<TokenKey>().is_err(), "{text}");
        }
        assert_eq!(format!("{:?}", key()), "TokenKey(…)");
    }
}
