//! What an operator may set about content, and why each default is what it is.

use serde::{Deserialize, Serialize};

use crate::unit::ByteSize;

use super::chunk::{BLOCK, CHUNK};

/// Limits of what is stored, shared and carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "proxy", derive(documented::DocumentedFields))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Smaller objects are never carried by visitors: below 8 KiB the talk about an object costs about what the object does.
    pub min_object: ByteSize,
    /// Larger objects pass the store by. 64 MiB holds a clip, a font or a download; a film is watched in ranges by
    /// visitors who leave, and one would flush a quarter of the store.
    pub max_object: ByteSize,
    /// Memory for stored objects. 256 MiB holds some fifty hot pages of 4 to 5 MB and fits a small instance.
    pub store: ByteSize,
    /// Memory for bodies on their way from the origin, beside the store. 128 MiB is two of the largest objects at once.
    pub filling: ByteSize,
    /// Fetches from the origin under way at once. Browsers open 6 connections to a host: 256 is the misses of some forty
    /// pages, and what comes beyond goes to the origin by itself.
    pub max_fills: usize,
    /// Visitors that wait for one fetch. Each costs a waker and its place in a map; 16,384 stay under 2 MiB.
    pub max_waiters: usize,
    /// Objects of one page's manifest. Pages of crowds name 41 % of the time over 100 URLs; the manifest costs some 150 bytes
    /// of every visitor's HTML for each.
    pub max_objects: usize,
    /// References kept for one page. The heaviest pages name a few hundred; 2,048 short strings stay under 1 MiB a page.
    pub max_references: usize,
}

impl Settings {
    /// Whether the limits make sense together.
    ///
    /// # Errors
    /// Names the first value that does not.
    pub fn check(&self) -> Result<(), SettingsError> {
        let at_least = |name, value: u64, least: u64| {
            if value < least {
                Err(SettingsError::TooSmall { name, value, least })
            } else {
                Ok(())
            }
        };
        at_least("min_object", self.min_object.as_u64(), BLOCK as u64)?;
        at_least(
            "max_object",
            self.max_object.as_u64(),
            self.min_object.as_u64().max(CHUNK as u64),
        )?;
        // Of a smaller store one object would flush everything else.
        at_least("store", self.store.as_u64(), 2 * self.max_object.as_u64())?;
        at_least("filling", self.filling.as_u64(), self.max_object.as_u64())?;
        at_least("max_fills", self.max_fills as u64, 1)?;
        at_least("max_waiters", self.max_waiters as u64, 1)?;
        at_least("max_objects", self.max_objects as u64, 1)?;
        at_least("max_references", self.max_references as u64, 1)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_object: ByteSize::kib(8),
            max_object: ByteSize::mib(64),
            store: ByteSize::mib(256),
            filling: ByteSize::mib(128),
            max_fills: 256,
            max_waiters: 16_384,
            max_objects: 512,
            max_references: 2_048,
        }
    }
}

/// A limit that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The value lies below what it must hold.
    #[error("content.{name} = {value} is too small: at least {least}")]
    TooSmall {
        /// The setting's name.
        name: &'static str,
        /// What it was set to.
        value: u64,
        /// What it must be at least.
        least: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_work() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn a_store_that_one_object_flushes_is_named() {
        let settings = Settings {
            store: ByteSize::mib(64),
            ..Settings::default()
        };
        let error = settings.check().expect_err("is too small");
        assert_eq!(
            error.to_string(),
            "content.store = 67108864 is too small: at least 134217728"
        );
    }
}
