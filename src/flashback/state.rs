//! The state file: what the detector knows of its pages, kept over a restart, so that a deploy is no crowd. The detector
//! decides what is worth keeping; here it only meets the disk, and whatever the disk does, the site is served.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use crate::{crowd::Memory, layer::carrier::Carrier};

/// Settings of what is remembered (`[state]`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "proxy", derive(documented::DocumentedFields))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct StateSettings {
    /// File in which the everyday rates of the busiest 10,000 pages are kept over a restart; without one, pages that are
    /// busy every day can pass for crowds in the first seconds after a deploy. None by default: nothing is written that
    /// nobody asked for. Its folder must be there. For example: file = "/var/lib/flashback/state.json"
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// How often it is written; it is written at the end as well. 1m: what a crash loses is nothing beside the day that the
    /// rates are taken over, and a megabyte a minute wears out no disk.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
}

impl StateSettings {
    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// Names the bad value.
    pub fn check(&self) -> Result<(), StateSettingsError> {
        if self.every < Duration::from_secs(1) {
            return Err(StateSettingsError::Every(self.every));
        }
        match &self.file {
            Some(file) if file.file_name().is_none() => Err(StateSettingsError::File(file.clone())),
            _ => Ok(()),
        }
    }
}

impl Default for StateSettings {
    fn default() -> Self {
        Self {
            file: None,
            every: Duration::from_secs(60),
        }
    }
}

/// A setting of the state file that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateSettingsError {
    /// The disk would do nothing else.
    #[error("every = {}: must be at least 1s", humantime::format_duration(*.0))]
    Every(Duration),
    /// Not the name of a file.
    #[error("file = '{}' names no file", .0.display())]
    File(PathBuf),
}

/// Where the memory lies between two lives of the process.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// Whether the last attempt to write failed: the same complaint every minute would bury others.
    failing: AtomicBool,
}

impl StateFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            failing: AtomicBool::new(false),
        }
    }

    /// What was known when the process ended. Of what cannot be used nothing is taken: that is told, the file is kept beside,
    /// and the detector starts cold.
    pub(super) fn recall(&self) -> Memory {
        let name = self.path.display();
        let memory = match read(&self.path) {
            Ok(text) => Memory::parse(&text).map_err(|error| error.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::info!(file = %name, "no state yet: the detector starts cold");
                return Memory::default();
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error.to_string()),
            Err(error) => {
                tracing::warn!(file = %name, %error, "the state file cannot be read: the detector starts cold");
                return Memory::default();
            }
        };
        match memory {
            Ok(memory) => {
                tracing::info!(file = %name, pages = memory.pages(), "state");
                memory
            }
            Err(error) => {
                let aside = beside(&self.path, ".bad");
                let kept = fs::rename(&self.path, &aside).map(|()| aside.display().to_string());
                tracing::warn!(file = %name, %error, ?kept, "the state file is of no use: the detector starts cold");
                Memory::default()
            }
        }
    }

    /// Writes the memory: what was there is whole until the new one is.
    fn keep(&self, memory: &Memory) {
        let (name, text) = (self.path.display(), memory.to_text());
        match replace(&self.path, |file| file.write_all(text.as_bytes())) {
            Ok(()) => {
                if self.failing.swap(false, Relaxed) {
                    tracing::info!(file = %name, "the state file is written again");
                }
            }
            Err(error) => {
                if !self.failing.swap(true, Relaxed) {
                    tracing::warn!(
                        file = %name, %error,
                        "the state file cannot be written: what is known now would be lost with the process"
                    );
                }
            }
        }
    }
}

/// Writes the state from time to time, for as long as anything holds the carrier.
pub(super) async fn keep_state(carrier: Weak<Carrier>, file: Arc<StateFile>, every: Duration) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, when nothing is known yet.
    tick.tick().await;
    loop {
        tick.tick().await;
        let Some(carrier) = carrier.upgrade() else { return };
        save(&carrier, &file).await;
    }
}

/// Writes the state now. Neither the detector's walk over its pages nor the disk holds up a request.
pub(super) async fn save(carrier: &Arc<Carrier>, file: &Arc<StateFile>) {
    let (carrier, file) = (Arc::clone(carrier), Arc::clone(file));
    let written = tokio::task::spawn_blocking(move || file.keep(&carrier.crowds.memory(carrier.now())));
    if let Err(error) = written.await {
        tracing::warn!(%error, "the state was not written");
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_SIZE + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_SIZE {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("larger than {MAX_SIZE} bytes"),
        ));
    }
    Ok(text)
}

/// Puts a new file in the place of another in one step: whoever looks, and whatever breaks down, finds the old one or the
/// new one whole.
fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let temporary = beside(path, ".new");
    let written = create(&temporary).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        // On a full disk what is half written is in the way of everybody.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    // The name is on the disk once its folder is; systems that cannot open folders see to it themselves.
    match path.parent().map(File::open) {
        Some(Ok(folder)) => folder.sync_all(),
        _ => Ok(()),
    }
}

/// A new file, never one that a link leads to elsewhere.
fn create(path: &Path) -> io::Result<File> {
    let new = || File::options().write(true).create_new(true).open(path);
    match new() {
        // Left by a process that was killed.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            new()
        }
        other => other,
    }
}

/// The name of a file next to this one.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(suffix);
    path.with_file_name(name)
}

/// Ten thousand pages with the longest names take a third of it.
const MAX_SIZE: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own, gone with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("flashback-state-{}-{name}", std::process::id()));
            fs::create_dir_all(&folder).expect("a folder");
            Self(folder)
        }

        fn state(&self) -> StateFile {
            StateFile::new(self.0.join("state.json"))
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).expect("is there");
            let mut names: Vec<_> = entries
                .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn memory() -> Memory {
        let text = r#"{"version":1,"seconds":86400.0,"site":3.0,"pages":[["a.example/",2.5]]}"#;
        Memory::parse(text).expect("is a memory")
    }

    #[test]
    fn what_is_kept_is_recalled() {
        let folder = Folder::new("kept");
        let state = folder.state();
        assert_eq!(state.recall(), Memory::default(), "nothing yet");
        state.keep(&memory());
        state.keep(&memory());
        assert_eq!(state.recall(), memory());
        assert_eq!(folder.names(), ["state.json"]);
    }

    #[test]
    fn a_disk_that_fails_midway_leaves_the_old_state() {
        let folder = Folder::new("full");
        let state = folder.state();
        state.keep(&memory());
        let full = replace(&state.path, |file| {
            file.write_all(b"{\"version\":1,\"sec")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(
            full.map_err(|error| error.kind()),
            Err(io::ErrorKind::StorageFull)
        );
        assert_eq!(folder.names(), ["state.json"], "nothing half written stays");
        assert_eq!(state.recall(), memory());
    }

    #[test]
    fn what_a_killed_process_left_is_no_hindrance_and_no_link_is_followed() {
        let folder = Folder::new("left");
        let state = folder.state();
        let victim = folder.0.join("victim");
        fs::write(&victim, "precious").expect("written");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&victim, beside(&state.path, ".new")).expect("a link");
        state.keep(&memory());
        assert_eq!(fs::read_to_string(&victim).expect("is there"), "precious");
        assert_eq!(state.recall(), memory());
    }

    #[test]
    fn damage_of_any_kind_is_a_cold_start_and_kept_beside() {
        let whole = memory().to_text();
        for damaged in [
            &whole.as_bytes()[..whole.len() / 2],
            b"",
            b"\xFF\xFE\x00",
            whole.replace("\"version\":1", "\"version\":2").as_bytes(),
            &vec![b' '; MAX_SIZE as usize + 1],
        ] {
            let folder = Folder::new("bad");
            let state = folder.state();
            fs::write(&state.path, damaged).expect("written");
            assert_eq!(state.recall(), Memory::default());
            assert_eq!(folder.names(), ["state.json.bad"]);
            assert_eq!(
                fs::read(folder.0.join("state.json.bad")).expect("is there"),
                damaged
            );
            state.keep(&memory());
            assert_eq!(state.recall(), memory(), "the next life starts warm");
        }
    }

    #[test]
    fn a_path_that_cannot_be_written_stops_nobody() {
        let state = StateFile::new(PathBuf::from("/no/such/folder/state.json"));
        assert_eq!(state.recall(), Memory::default());
        state.keep(&memory());
        assert!(state.failing.load(Relaxed));
    }

    #[test]
    fn bad_settings_are_named() {
        let mut settings = StateSettings::default();
        assert_eq!(settings.check(), Ok(()));
        settings.every = Duration::from_millis(10);
        assert!(
            settings
                .check()
                .expect_err("is refused")
                .to_string()
                .contains("10ms")
        );
        settings = StateSettings {
            file: Some("/".into()),
            ..StateSettings::default()
        };
        assert!(
            settings
                .check()
                .expect_err("is refused")
                .to_string()
                .contains("'/'")
        );
    }
}
