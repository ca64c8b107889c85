//! What operators forced by hand: few, and stronger than every rule.

use super::{ForceError, Mode};

/// Forced pages, in the order in which they were forced: the last that fits a page holds.
#[derive(Debug, Default)]
pub(super) struct Pins(Vec<Pin>);

#[derive(Debug)]
struct Pin {
    /// In lower case; none means every host.
    host: Option<Box<str>>,
    path: Box<str>,
    mode: Mode,
}

impl Pins {
    /// Remembers a mode for a path, on one host or on all. `Auto` forgets, and for all hosts forgets each.
    pub(super) fn set(&mut self, host: Option<&str>, path: &str, mode: Mode) -> Result<(), ForceError> {
        if !path.starts_with('/') {
            return Err(ForceError::Path(path.to_owned()));
        }
        let host = host.map(|host| host.to_ascii_lowercase().into_boxed_str());
        self.0
            .retain(|pin| *pin.path != *path || (host.is_some() && pin.host != host));
        // Auto on one host must still overrule a mode for every host.
        if mode == Mode::Auto && self.mode(host.as_deref().unwrap_or_default(), path) == Mode::Auto {
            return Ok(());
        }
        if self.0.len() >= MAX_PINS {
            return Err(ForceError::Full(MAX_PINS));
        }
        self.0.push(Pin {
            host,
            path: path.into(),
            mode,
        });
        Ok(())
    }

    /// The mode of a page.
    pub(super) fn mode(&self, host: &str, path: &str) -> Mode {
        let fits = |pin: &&Pin| {
            *pin.path == *path
                && pin
                    .host
                    .as_ref()
                    .is_none_or(|pinned| pinned.eq_ignore_ascii_case(host))
        };
        self.0.iter().rev().find(fits).map_or(Mode::Auto, |pin| pin.mode)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a page may be hot by force.
    pub(super) fn any_hot(&self) -> bool {
        self.0.iter().any(|pin| pin.mode == Mode::Hot)
    }
}

/// Pins at most: they are made by hand, and each new page is compared with all.
const MAX_PINS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_holds() {
        let mut pins = Pins::default();
        pins.set(None, "/a", Mode::Hot).expect("fits");
        pins.set(Some("B.example"), "/a", Mode::Calm).expect("fits");
        assert_eq!(pins.mode("x.example", "/a"), Mode::Hot);
        assert_eq!(pins.mode("b.Example", "/a"), Mode::Calm);
        pins.set(Some("b.example"), "/a", Mode::Auto).expect("fits");
        assert_eq!(pins.mode("b.example", "/a"), Mode::Auto);
        assert!(pins.any_hot());
        pins.set(None, "/a", Mode::Auto).expect("fits");
        assert!(pins.is_empty());
    }

    #[test]
    fn pins_are_bounded_and_paths_are_paths() {
        let mut pins = Pins::default();
        assert_eq!(
            pins.set(None, "a", Mode::Hot),
            Err(ForceError::Path("a".to_owned()))
        );
        for number in 0..MAX_PINS {
            pins.set(None, &format!("/{number}"), Mode::Hot).expect("fits");
        }
        assert_eq!(
            pins.set(None, "/more", Mode::Hot),
            Err(ForceError::Full(MAX_PINS))
        );
        assert_eq!(pins.set(None, "/7", Mode::Calm), Ok(()), "a known one changes");
    }
}
