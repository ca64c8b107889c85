//! Reading and writing of the fields that messages are made of. It knows integers, varints and their bounds, and no
//! message.

use crate::swarm::PeerFault;

/// Chunk numbers are below this: 256 GiB of one page, and a bound for every structure that is indexed by them.
pub(crate) const CHUNKS: u32 = 1 << 24;

/// Takes fields from the front of a message.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], PeerFault> {
        let (head, rest) = self.0.split_first_chunk().ok_or(PeerFault::Short)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], PeerFault> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(PeerFault::Short)?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, PeerFault> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, PeerFault> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, PeerFault> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, PeerFault> {
        self.array().map(u64::from_be_bytes)
    }

    /// Only the shortest form is read, so that a message has one spelling.
    pub(crate) fn varint(&mut self) -> Result<u32, PeerFault> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let padded = byte == 0 && shift > 0;
                return u32::try_from(value)
                    .ok()
                    .filter(|_| !padded)
                    .ok_or(PeerFault::Varint);
            }
        }
        Err(PeerFault::Varint)
    }

    pub(crate) fn chunk(&mut self) -> Result<u32, PeerFault> {
        self.u32().and_then(|chunk| {
            if chunk < CHUNKS {
                Ok(chunk)
            } else {
                Err(PeerFault::Chunk)
            }
        })
    }

    /// Bytes not yet taken.
    pub(crate) const fn remaining(&self) -> usize {
        self.0.len()
    }

    pub(crate) const fn end(self) -> Result<(), PeerFault> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(PeerFault::Long)
        }
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_varint_survives_in_at_most_five_bytes(value: u32) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            prop_assert!(bytes.len() <= 5);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }

    #[test]
    fn a_varint_has_one_spelling() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xff, 0xff, 0xff, 0xff, 0x10],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        ] {
            assert_eq!(Reader::new(bytes).varint(), Err(PeerFault::Varint), "{bytes:x?}");
        }
        assert_eq!(Reader::new(&[0x80]).varint(), Err(PeerFault::Short));
    }
}
