//! Which encoding a browser will read the page in, found as a browser finds it: byte order mark, `Content-Type`, then a
//! `<meta charset>` within the first 1,024 bytes.
//!
//! What we write at the start of the head pushes the page's own `<meta>` further down, out of those bytes. So where the page
//! itself must say its encoding, we wait for it as browsers do, and say it again ahead of everything else.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252, X_USER_DEFINED};
use lol_html::{
    AsciiCompatibleEncoding, element,
    send::{Element, HtmlRewriter, Settings},
};

/// How the page will be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// Known without the page's markup.
    Settled(AsciiCompatibleEncoding),
    /// Said by the page's own `<meta>`: to be said again before we write anything.
    Declared(AsciiCompatibleEncoding),
    /// Nowhere said; browsers guess.
    Unknown,
    /// ASCII is not ASCII in it.
    Unsuitable,
}

/// Keeps the first bytes of a page back until its encoding is known: three for a byte order mark, or up to
/// [`PRESCAN`] where nothing else names the encoding.
pub(super) struct Sniffer {
    header: Option<AsciiCompatibleEncoding>,
    seen: Vec<u8>,
    prescan: Option<Box<Prescan>>,
}

struct Prescan {
    rewriter: HtmlRewriter<'static, fn(&[u8])>,
    found: Arc<OnceLock<&'static Encoding>>,
}

impl Charset {
    /// The encoding in which attributes are read and written.
    pub(super) fn encoding(self) -> AsciiCompatibleEncoding {
        match self {
            Self::Settled(encoding) | Self::Declared(encoding) => encoding,
            // Only ASCII is written, and what is not touched stays as it is, so any superset of ASCII serves.
            Self::Unknown | Self::Unsuitable => {
                AsciiCompatibleEncoding::new(WINDOWS_1252).unwrap_or_else(AsciiCompatibleEncoding::utf_8)
            }
        }
    }
}

impl Sniffer {
    pub(super) fn new(header: Option<AsciiCompatibleEncoding>) -> Self {
        Self {
            header,
            seen: Vec::new(),
            prescan: None,
        }
    }

    /// Takes the next bytes. The answer comes as soon as it is certain.
    pub(super) fn read(&mut self, input: &[u8]) -> Option<Charset> {
        let before = self.seen.len();
        self.seen.extend_from_slice(input);
        if self.seen.starts_with(b"\xfe\xff") || self.seen.starts_with(b"\xff\xfe") {
            return Some(Charset::Unsuitable);
        }
        if self.seen.starts_with(BOM) {
            return Some(Charset::Settled(AsciiCompatibleEncoding::utf_8()));
        }
        if BOM.starts_with(&self.seen) || self.seen == b"\xfe" || self.seen == b"\xff" {
            return None;
        }
        if let Some(encoding) = self.header {
            return Some(Charset::Settled(encoding));
        }
        let scanned = if self.prescan.is_some() { before } else { 0 };
        let end = self.seen.len().min(PRESCAN);
        let prescan = self.prescan.get_or_insert_with(|| Box::new(Prescan::new()));
        let fresh = self.seen.get(scanned..end).unwrap_or_default();
        match prescan.read(fresh) {
            Some(charset) => Some(charset),
            None if end == PRESCAN => Some(Charset::Unknown),
            None => None,
        }
    }

    /// The page ended before it was certain.
    pub(super) fn end(&self) -> Charset {
        self.header.map_or(Charset::Unknown, Charset::Settled)
    }

    /// The bytes that were kept back.
    pub(super) fn into_seen(self) -> Vec<u8> {
        self.seen
    }
}

impl fmt::Debug for Sniffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sniffer")
            .field("header", &self.header)
            .field("seen", &self.seen.len())
            .finish()
    }
}

impl Prescan {
    fn new() -> Self {
        let found = Arc::new(OnceLock::new());
        let slot = Arc::clone(&found);
        let settings = Settings::new_send()
            .with_strict(false)
            .append_element_content_handler(element!("meta", move |meta: &mut Element<'_, '_>| {
                if let Some(encoding) = declared(meta) {
                    // The first one counts.
                    let _ = slot.set(encoding);
                }
                Ok(())
            }));
        Self {
            rewriter: HtmlRewriter::new(settings, |_: &[u8]| ()),
            found,
        }
    }

    fn read(&mut self, fresh: &[u8]) -> Option<Charset> {
        // Without a memory limit and with handlers that do not fail, only a bug of the parser could end here.
        if self.rewriter.write(fresh).is_err() {
            return Some(Charset::Unsuitable);
        }
        let encoding = self.found.get()?;
        Some(AsciiCompatibleEncoding::new(encoding).map_or(Charset::Unsuitable, Charset::Declared))
    }
}

/// The encoding that a `<meta>` declares, with the standard's two replacements.
fn declared(meta: &Element<'_, '_>) -> Option<&'static Encoding> {
    let label = meta.get_attribute("charset").or_else(|| {
        let equivalent = meta.get_attribute("http-equiv")?;
        let content = meta.get_attribute("content")?.to_ascii_lowercase();
        let (_, after) = content.split_once("charset")?;
        let value = after
            .trim_start()
            .strip_prefix('=')?
            .trim_start()
            .trim_start_matches(['"', '\'']);
        let end = value
            .find(|c: char| c.is_ascii_whitespace() || ";\"'".contains(c))
            .unwrap_or(value.len());
        let label = value.get(..end)?.to_owned();
        equivalent
            .trim()
            .eq_ignore_ascii_case("content-type")
            .then_some(label)
    })?;
    let encoding = Encoding::for_label(label.trim().as_bytes())?;
    Some(if encoding == X_USER_DEFINED {
        WINDOWS_1252
    } else if encoding.output_encoding() != encoding {
        // A page that can be read as ASCII far enough to say "UTF-16" is not UTF-16.
        UTF_8
    } else {
        encoding
    })
}

/// The byte order mark of UTF-8. It stays first.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";
/// Bytes of a page in which browsers look for its encoding.
const PRESCAN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn name(charset: Charset) -> String {
        let name = |encoding: AsciiCompatibleEncoding| <&Encoding>::from(encoding).name();
        match charset {
            Charset::Settled(encoding) => format!("settled {}", name(encoding)),
            Charset::Declared(encoding) => format!("declared {}", name(encoding)),
            Charset::Unknown => "unknown".to_owned(),
            Charset::Unsuitable => "unsuitable".to_owned(),
        }
    }

    fn sniff(header: Option<&'static Encoding>, page: &[u8], size: usize) -> (String, usize) {
        let mut sniffer = Sniffer::new(header.and_then(AsciiCompatibleEncoding::new));
        for chunk in page.chunks(size) {
            if let Some(charset) = sniffer.read(chunk) {
                return (name(charset), sniffer.into_seen().len());
            }
        }
        (name(sniffer.end()), sniffer.into_seen().len())
    }

    #[test]
    fn the_encoding_is_found_as_browsers_find_it() {
        let table: [(Option<&'static Encoding>, &[u8], &str); 15] = [
            (Some(UTF_8), b"<html>", "settled UTF-8"),
            (Some(WINDOWS_1252), b"\xef\xbb\xbf<html>", "settled UTF-8"),
            (Some(UTF_8), b"\xff\xfe<\0", "unsuitable"),
            (None, b"\xfe\xff\0<", "unsuitable"),
            (Some(UTF_8), b"", "settled UTF-8"),
            (Some(UTF_8), b"\xff", "settled UTF-8"),
            (None, b"<meta charset=windows-1251>", "declared windows-1251"),
            (None, b"<META CHARSET='Latin1' >", "declared windows-1252"),
            (None, b"<meta charset=utf-16><p>", "declared UTF-8"),
            (None, b"<meta charset=iso-2022-jp>", "unsuitable"),
            (
                None,
                b"<meta charset=nonsense><meta charset=koi8-r>",
                "declared KOI8-R",
            ),
            (None, b"<!-- <meta charset=koi8-r> --><p>", "unknown"),
            (
                None,
                b"<meta http-equiv=Content-Type content='text/html; charset=Shift_JIS'>",
                "declared Shift_JIS",
            ),
            (None, b"<meta name=x content='charset=Shift_JIS'>", "unknown"),
            (None, b"<p>", "unknown"),
        ];
        for (header, page, expected) in table {
            for size in 1..=page.len().max(1) {
                assert_eq!(
                    sniff(header, page, size).0,
                    expected,
                    "{page:?} in chunks of {size}"
                );
            }
        }
    }

    #[test]
    fn no_more_is_kept_back_than_needed() {
        assert_eq!(sniff(Some(UTF_8), b"<html>", 1).1, 1);
        let late = format!("<!--{}--><meta charset=koi8-r>", "x".repeat(PRESCAN));
        assert_eq!(sniff(None, late.as_bytes(), 1), ("unknown".to_owned(), PRESCAN));
    }
}
