//! Lines of log files, decompressed as they come, with a progress bar where someone watches. A log of any size is read in
//! the memory of one line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Read},
    path::{Path, PathBuf},
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tower_flashback::crowd::log::LineError;

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of the file, from 0.
    pub(super) file: usize,
    /// Number of the line, from 1.
    pub(super) line: u64,
}

/// Lines that are no requests: all counted, the first kept.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) lines: u64,
    pub(super) bad: u64,
    pub(super) late: u64,
    pub(super) first: Vec<(Place, LineError)>,
}

impl Faults {
    pub(super) fn add(&mut self, place: Place, error: LineError) {
        self.bad += 1;
        if self.first.len() < SHOWN {
            self.first.push((place, error));
        }
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.lines += other.lines;
        self.bad += other.bad;
        self.late += other.late;
        self.first.extend(other.first);
        self.first.sort_by_key(|(place, _)| (place.file, place.line));
        self.first.truncate(SHOWN);
        self
    }
}

/// Reads all files, one after the other, and hands over each line without its end.
pub(super) fn lines(files: &[PathBuf], mut each: impl FnMut(Place, &[u8])) -> anyhow::Result<Faults> {
    let mut faults = Faults::default();
    let bar = progress(files);
    for (number, path) in files.iter().enumerate() {
        let name = path.display();
        let mut reader = open(path, &bar).with_context(|| format!("{name} cannot be read"))?;
        let (mut line, mut place) = (
            Vec::new(),
            Place {
                file: number,
                line: 0,
            },
        );
        while read(&mut reader, &mut line).with_context(|| format!("{name} cannot be read to its end"))? {
            place.line += 1;
            if line.len() > LONGEST {
                faults.add(place, LineError::Long);
            } else if !line.is_empty() {
                each(place, &line);
            }
        }
        faults.lines += place.line;
    }
    bar.finish_and_clear();
    Ok(faults)
}

/// Reads a line of bounded length; the rest of a longer one is skipped. False at the end.
fn read(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = memchr(buffer);
        let part = &buffer[..end.unwrap_or(buffer.len())];
        line.extend_from_slice(&part[..part.len().min((LONGEST + 1).saturating_sub(line.len()))]);
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

fn memchr(buffer: &[u8]) -> Option<usize> {
    buffer.iter().position(|byte| *byte == b'\n')
}

/// Opens a file, told apart by its first bytes, whatever it is called.
fn open(path: &Path, bar: &ProgressBar) -> anyhow::Result<Box<dyn BufRead>> {
    let raw: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path)?)
    };
    let mut raw = BufReader::with_capacity(BUFFER, bar.wrap_read(raw));
    let head = raw.fill_buf()?;
    Ok(if head.starts_with(&[0x1F, 0x8B]) {
        Box::new(BufReader::with_capacity(
            BUFFER,
            flate2::bufread::MultiGzDecoder::new(raw),
        ))
    } else if head.starts_with(&[0x28, 0xB5, 0x2F, 0xFD]) {
        Box::new(BufReader::with_capacity(
            BUFFER,
            ruzstd::decoding::StreamingDecoder::new(raw)?,
        ))
    } else {
        Box::new(raw)
    })
}

fn progress(files: &[PathBuf]) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let sizes = files
        .iter()
        .map(|path| path.metadata().map_or(0, |file| file.len()));
    let style =
        ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
    ProgressBar::new(sizes.sum()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Faults shown with their line numbers.
const SHOWN: usize = 100;
/// The longest line that the parser takes.
const LONGEST: usize = 64 * 1024;
/// Bytes read at once.
const BUFFER: usize = 256 * 1024;
