//! The URLs that the swarm carries for a page: what may be held, because the service worker will have it.

use std::collections::HashSet;

/// Path and query of each carried object, and whether there are films or sounds among them. Made once per manifest.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    paths: HashSet<String, foldhash::fast::RandomState>,
    video: bool,
    audio: bool,
}

impl Carried {
    /// From pairs of path and query, as a browser asks for them, and content type.
    pub fn new<'a>(objects: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut carried = Self::default();
        for (path, kind) in objects {
            carried.paths.insert(path.to_owned());
            carried.video |= begins(kind, "video/");
            carried.audio |= begins(kind, "audio/");
        }
        carried
    }

    /// Whether this path and query is carried.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// Whether any object is one that this element plays. Asked for where its sources are yet to come, as its children.
    pub(super) fn plays_in(&self, element: &str) -> bool {
        if element == "video" {
            self.video
        } else {
            self.audio
        }
    }
}

fn begins(kind: &str, start: &str) -> bool {
    kind.get(..start.len())
        .is_some_and(|have| have.eq_ignore_ascii_case(start))
}
