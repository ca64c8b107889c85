//! The lines of one log, decompressed as they come. A log of any size is read in the memory of a line and of its
//! decompressor.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use anyhow::Context;
use indicatif::ProgressBar;
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};
use tower_flashback::crowd::{Time, log::Stamps};

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Number of the log, from 0.
    pub(super) log: u32,
    /// Number of the line, from 1.
    pub(super) line: u64,
}

/// A log that is being read, at one of its lines.
pub(in crate::cli) struct Log {
    reader: Box<dyn BufRead>,
    /// The line, without its end.
    pub(in crate::cli) line: Vec<u8>,
    pub(super) place: Place,
    /// When the line's request came, if that can be read.
    pub(super) time: Option<Time>,
    /// The last time that could be read: where the log stands.
    pub(super) latest: Time,
    stamps: Stamps,
}

impl Log {
    /// Opens a log, told apart by its first bytes, whatever it is called. It stands before its first line.
    pub(in crate::cli) fn open(number: u32, path: &Path, bar: &ProgressBar) -> anyhow::Result<Self> {
        let reader = decompressed(path, bar).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Self {
            reader,
            line: Vec::new(),
            place: Place { log: number, line: 0 },
            time: None,
            latest: Time::ZERO,
            stamps: Stamps::default(),
        })
    }

    /// Goes to the next line that is not empty. False at the end.
    pub(in crate::cli) fn advance(&mut self) -> io::Result<bool> {
        while read(&mut self.reader, &mut self.line)? {
            self.place.line += 1;
            if !self.line.is_empty() {
                self.time = self.stamps.time_of(&self.line);
                self.latest = self.time.unwrap_or(self.latest);
                return Ok(true);
            }
        }
        Ok(false)
    }
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
        let end = memchr::memchr(b'\n', buffer);
        let part = &buffer[..end.unwrap_or(buffer.len())];
        line.extend_from_slice(&part[..part.len().min((LONGEST + 1).saturating_sub(line.len()))]);
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

fn decompressed(path: &Path, bar: &ProgressBar) -> io::Result<Box<dyn BufRead>> {
    let raw: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path)?)
    };
    let mut raw = BufReader::with_capacity(BUFFER, bar.wrap_read(raw));
    let head = raw.fill_buf()?;
    Ok(if head.starts_with(&GZIP) {
        let members = flate2::bufread::MultiGzDecoder::new(raw);
        Box::new(BufReader::with_capacity(BUFFER, members))
    } else if is_zstd(head) {
        Box::new(BufReader::with_capacity(BUFFER, Frames::of(raw)))
    } else {
        Box::new(raw)
    })
}

/// A frame, or one to be skipped, with which parallel compressors begin.
fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(&[0x28, 0xB5, 0x2F, 0xFD]) || matches!(head, [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..])
}

/// All frames of a zstd file: rotated logs are appended to each other, and parallel compressors write many.
struct Frames<R> {
    decoder: FrameDecoder,
    source: R,
    within: bool,
}

impl<R: BufRead> Frames<R> {
    fn of(source: R) -> Self {
        Self {
            decoder: FrameDecoder::new(),
            source,
            within: false,
        }
    }

    /// Goes to the next frame that holds anything. False at the end.
    fn next(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => {
                    self.within = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.within && !self.next()? {
                return Ok(0);
            }
            while self.decoder.can_collect() < into.len() && !self.decoder.is_finished() {
                let lacking = BlockDecodingStrategy::UptoBytes(into.len() - self.decoder.can_collect());
                self.decoder
                    .decode_blocks(&mut self.source, lacking)
                    .map_err(io::Error::other)?;
            }
            match self.decoder.read(into)? {
                0 if self.decoder.is_finished() => self.within = false,
                read => return Ok(read),
            }
        }
    }
}

const GZIP: [u8; 2] = [0x1F, 0x8B];
/// The longest line that the parser takes; of a longer one it gets a byte more, and says so.
const LONGEST: usize = 64 * 1024;
/// Bytes read at once.
const BUFFER: usize = 256 * 1024;
