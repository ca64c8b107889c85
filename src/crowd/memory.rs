//! What a detector knows of its pages' past, to be kept over a restart: without it, every busy page of a site that is
//! deployed anew could be a crowd. A value and its text; the file is the shell's.

use serde::{Deserialize, Serialize};

/// The long-run means of the busiest pages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    version: u32,
    /// Seconds that the means are taken over, decayed.
    pub(super) seconds: f64,
    /// Requests per second of the site as a whole.
    pub(super) site: f64,
    /// Requests per second of each page, by its key.
    pub(super) pages: Vec<(String, f64)>,
}

impl Memory {
    pub(super) fn new(seconds: f64, site: f64, mut pages: Vec<(String, f64)>) -> Self {
        pages.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        pages.truncate(MAX_PAGES);
        Self {
            version: VERSION,
            seconds,
            site,
            pages,
        }
    }

    /// The text of a state file.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Strings and finite numbers always have a text.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a state file's text.
    ///
    /// # Errors
    /// What is wrong with it. The detector then starts cold, which costs nothing but the memory.
    pub fn parse(text: &str) -> Result<Self, MemoryError> {
        let memory: Self =
            serde_json::from_str(text).map_err(|error| MemoryError::Form(error.to_string()))?;
        if memory.version != VERSION {
            return Err(MemoryError::Version(memory.version));
        }
        if memory.pages.len() > MAX_PAGES {
            return Err(MemoryError::Pages(memory.pages.len()));
        }
        let means = memory.pages.iter().map(|page| page.1);
        match means
            .chain([memory.seconds, memory.site])
            .find(|number| !(0.0..=1e12).contains(number))
        {
            Some(number) => Err(MemoryError::Number(number)),
            None => Ok(memory),
        }
    }

    /// Pages remembered.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.pages.len()
    }
}

/// Why a state file is of no use.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MemoryError {
    /// Cut off, or something else altogether.
    #[error("not the memory of a detector: {0}")]
    Form(String),
    /// Written by another version.
    #[error("memory of version {0}, not {VERSION}")]
    Version(u32),
    /// More pages than are ever written.
    #[error("memory of {0} pages, more than {MAX_PAGES}")]
    Pages(usize),
    /// A mean that is none.
    #[error("{0} is no rate")]
    Number(f64),
}

const VERSION: u32 = 1;
/// Pages remembered at most: those that are busy; the rest are met anew at no risk. About 1 MB.
const MAX_PAGES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_survives_its_text() {
        let memory = Memory::new(
            86_400.0,
            25.0,
            vec![("a.example/".to_owned(), 2.5), ("a.example/b".to_owned(), 20.0)],
        );
        assert_eq!(memory.pages[0].0, "a.example/b", "the busiest first");
        assert_eq!(Memory::parse(&memory.to_text()), Ok(memory));
    }

    #[test]
    fn a_damaged_memory_is_named() {
        let text = Memory::new(60.0, 1.0, vec![("a/".to_owned(), 1.0)]).to_text();
        for end in 0..text.len() {
            assert!(Memory::parse(&text[..end]).is_err(), "{}", &text[..end]);
        }
        assert_eq!(
            Memory::parse(&text.replace("\"version\":1", "\"version\":7")),
            Err(MemoryError::Version(7))
        );
        assert_eq!(
            Memory::parse(&text.replace("60.0", "-60.0")),
            Err(MemoryError::Number(-60.0))
        );
    }
}
