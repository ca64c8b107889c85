//! Finds where a page's head begins, byte by byte and without holding the page up: right after `<head …>`, else before the
//! first thing that is neither white space, comment, doctype, `<html …>` nor ignored. At either place an HTML parser is about to be,
//! or puts itself, "in head", so what is written there becomes the first thing of the head.
//!
//! The states are those of the HTML tokenizer as far as the insertion modes "initial", "before html" and "before head" need
//! them. `<head>` in a comment, in an attribute or in a script is no head here, because it is none in a browser.

/// Where the scan stands. A few bytes are held back: those of a tag whose name is not known yet.
#[derive(Debug, Default)]
pub(super) struct Prologue {
    state: State,
    /// Start of a tag, from `<` on, that may yet turn out to be the first content.
    opening: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Between,
    Opening,
    Comment(Comment),
    /// Doctype, processing instruction or bogus comment: all end at the first `>`, whatever is quoted.
    Declaration,
    Tag {
        head: bool,
        at: TagPart,
    },
}

/// A comment, after its `<!--`. `<!-->` and `<!--->` are whole comments.
#[derive(Clone, Copy, Debug, Default)]
struct Comment {
    dashes: u8,
    begun: bool,
    bang: bool,
}

/// Where in a tag. Quotes count only where a value begins.
#[derive(Clone, Copy, Debug)]
enum TagPart {
    TagName,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    Unquoted,
    Quoted(u8),
}

impl Prologue {
    /// Reads on. Writes to `out` what stands before the place; `Some(rest)` once it is found, where `rest` of `input`
    /// comes after the place, preceded by [`opening`](Self::into_opening).
    pub(super) fn read<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
        for (at, &byte) in input.iter().enumerate() {
            match self.step(byte) {
                Step::Keep => self.opening.push(byte),
                Step::Pass => {
                    out.append(&mut self.opening);
                    out.push(byte);
                }
                Step::PlaceBefore => return input.get(at..),
                Step::PlaceAfter => {
                    out.append(&mut self.opening);
                    out.push(byte);
                    return input.get(at + 1..);
                }
            }
        }
        None
    }

    /// What is held back: the start of the tag before which the place is, or of one that never went on.
    pub(super) fn into_opening(self) -> Vec<u8> {
        self.opening
    }

    fn step(&mut self, byte: u8) -> Step {
        match &mut self.state {
            State::Between => match byte {
                b'<' => {
                    self.state = State::Opening;
                    Step::Keep
                }
                byte if is_space(byte) => Step::Pass,
                _ => Step::PlaceBefore,
            },
            State::Opening => self.open(byte),
            State::Comment(comment) => {
                if comment.ends_with(byte) {
                    self.state = State::Between;
                }
                Step::Pass
            }
            State::Declaration => {
                if byte == b'>' {
                    self.state = State::Between;
                }
                Step::Pass
            }
            State::Tag { head, at } => match (at.next(byte), *head) {
                (Some(next), _) => {
                    *at = next;
                    Step::Pass
                }
                (None, true) => Step::PlaceAfter,
                (None, false) => {
                    self.state = State::Between;
                    Step::Pass
                }
            },
        }
    }

    /// Between `<` and the end of the name.
    fn open(&mut self, byte: u8) -> Step {
        let ends = is_space(byte) || byte == b'/' || byte == b'>';
        match (self.opening.get(1..).unwrap_or_default(), byte) {
            (b"", b'!' | b'/') | (b"!", b'-') => Step::Keep,
            (b"!-", b'-') => {
                self.state = State::Comment(Comment::default());
                Step::Pass
            }
            (b"", b'?') | ([b'!', ..], _) => self.declare(byte),
            ([b'/'], _) if !byte.is_ascii_alphabetic() => self.declare(byte),
            ([b'/', name @ ..], _) if ends && is_any(name, &IMPLYING) => Step::PlaceBefore,
            ([b'/', name @ ..], _) if !ends && name.len() < LONGEST_NAME => Step::Keep,
            // Another end tag closes nothing here, and is ignored.
            ([b'/', ..], _) => self.enter_tag(false, byte),
            (name, _) if ends && is_any(name, &[b"html"]) => self.enter_tag(false, byte),
            (name, _) if ends && is_any(name, &[b"head"]) => self.enter_tag(true, byte),
            (name, _) if begins(b"html", name, byte) || begins(b"head", name, byte) => Step::Keep,
            _ => Step::PlaceBefore,
        }
    }

    fn enter_tag(&mut self, head: bool, byte: u8) -> Step {
        self.state = State::Tag {
            head,
            at: TagPart::TagName,
        };
        self.step(byte)
    }

    fn declare(&mut self, byte: u8) -> Step {
        self.state = if byte == b'>' {
            State::Between
        } else {
            State::Declaration
        };
        Step::Pass
    }
}

enum Step {
    /// Part of a tag that is not known yet.
    Keep,
    /// Before the place.
    Pass,
    PlaceBefore,
    PlaceAfter,
}

impl Comment {
    fn ends_with(&mut self, byte: u8) -> bool {
        let closing = self.dashes >= 2 || !self.begun;
        match byte {
            b'>' if closing => return true,
            b'-' if self.bang => {
                *self = Self {
                    dashes: 1,
                    begun: true,
                    bang: false,
                }
            }
            b'-' => self.dashes = self.dashes.saturating_add(1),
            b'!' if self.dashes >= 2 && !self.bang => {
                self.bang = true;
                self.begun = true;
            }
            _ => {
                *self = Self {
                    dashes: 0,
                    begun: true,
                    bang: false,
                }
            }
        }
        false
    }
}

impl TagPart {
    /// The part after `byte`, or `None` where the tag ends.
    fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Quoted(quote), byte) if byte == quote => Self::BeforeName,
            (Self::Quoted(quote), _) => Self::Quoted(quote),
            (_, b'>') => return None,
            (Self::BeforeValue, b'"' | b'\'') => Self::Quoted(byte),
            (Self::BeforeValue, byte) if is_space(byte) => Self::BeforeValue,
            (Self::Unquoted, byte) if is_space(byte) => Self::BeforeName,
            (Self::BeforeValue | Self::Unquoted, _) => Self::Unquoted,
            (_, b'/') => Self::BeforeName,
            (Self::TagName, byte) if is_space(byte) => Self::BeforeName,
            (Self::TagName, _) => Self::TagName,
            (Self::Name | Self::AfterName, b'=') => Self::BeforeValue,
            (Self::Name | Self::AfterName, byte) if is_space(byte) => Self::AfterName,
            (Self::BeforeName, byte) if is_space(byte) => Self::BeforeName,
            (Self::BeforeName | Self::Name | Self::AfterName, _) => Self::Name,
        })
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

fn is_any(name: &[u8], names: &[&[u8]]) -> bool {
    names.iter().any(|any| any.eq_ignore_ascii_case(name))
}

/// Whether `wanted` begins with what is read of a name and this byte.
fn begins(wanted: &[u8], read: &[u8], byte: u8) -> bool {
    let (start, rest) = wanted.split_at(read.len().min(wanted.len()));
    start.eq_ignore_ascii_case(read) && rest.first().is_some_and(|next| next.eq_ignore_ascii_case(&byte))
}

/// End tags that make a parser act as if the head had begun.
const IMPLYING: [&[u8]; 4] = [b"head", b"body", b"html", b"br"];
/// Letters of the longest of the names that matter.
const LONGEST_NAME: usize = 4;
/// Bytes that are held back at most: `</html`.
#[cfg(test)]
const LONGEST_OPENING: usize = 2 + LONGEST_NAME;

#[cfg(test)]
mod tests {
    use super::*;

    /// The page with `|` at the place, read in chunks of `size`; `None` if there is no place.
    fn place(page: &str, size: usize) -> Option<String> {
        let (mut prologue, mut out, mut read) = (Prologue::default(), Vec::new(), 0);
        for chunk in page.as_bytes().chunks(size) {
            read += chunk.len();
            if let Some(rest) = prologue.read(chunk, &mut out) {
                out.push(b'|');
                out.extend(prologue.into_opening());
                out.extend_from_slice(rest);
                out.extend_from_slice(&page.as_bytes()[read..]);
                return Some(String::from_utf8(out).expect("was text"));
            }
            assert!(
                prologue.opening.len() <= LONGEST_OPENING,
                "{:?} is held back",
                prologue.opening
            );
        }
        None
    }

    #[test]
    fn the_place_is_that_of_the_head() {
        let pages = [
            "<head>|<title>",
            "<!doctype html><html lang=en><head>|",
            "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\">\n<HTML>\n<HEAD \n>|x",
            "<?xml version=\"1.0\"?><!doctype html><html xmlns='http://www.w3.org/1999/xhtml'><head />|",
            "<!-- <head> --><html><!-- <head> --><head>|",
            "<!--><head>|",
            "<!---><head>|",
            "<!----!><head>|",
            "<!--a--!><head>|",
            "<!----><head>|",
            "<!--!><head>--><head>|",
            "<!---!><head>--><head>|",
            "<!-- --!-><head>--><head>|",
            "<!--a->b--->|x",
            "<!-x><head>|",
            "<!><head>|",
            "<![CDATA[x]]><head>|",
            "<?><head>|",
            "<!--a--><!b><?c>\n\t|d",
            "<html data-a=\"<head>\" b='>' c = \"d>\" e=f\"><head>|",
            "<html data-a=\"x\"data-b='>'><head>|",
            "<html =\"><head>|\"",
            "<html a=>|\"",
            "<html/><head>|",
            "<html a b = c/d='><head>|",
            "<html/a=\">\"><head>|",
            "<head data-x=\"<title>\" y>|<title>",
            "|<header><head>",
            "<html>|<heading>",
            "|<h1>Title</h1>",
            "|<hx><head>",
            "|<he <head>",
            "|text <head>",
            " \r\n\x0c|text",
            "|<p><head>",
            "<html>|<body><head>",
            "<html>|</head><head>",
            "|</html><head>",
            "|</BR\t><head>",
            "</p><head>|",
            "</heading x='>'><head>|",
            "</p =\">|\"\"><head>",
            "</><!doctype html></ <head></3><head>|",
            "</hr/><html a>|</body>",
            "|<pre><head></pre>",
            "|<script>'<head>'</script>",
            "|\0<head>",
            "|< head>",
            "<html><html a=b><head>|<head>",
            "<html>|<frameset>",
            "|<htm><head>",
            "<html>|&nbsp;",
        ];
        for expected in pages {
            let page = expected.replace('|', "");
            let found = place(&page, 1);
            assert_eq!(found.as_deref(), Some(expected), "byte by byte");
            for size in 2..=page.len().max(2) {
                assert_eq!(place(&page, size), place(&page, 1), "{page} in chunks of {size}");
            }
        }
    }

    #[test]
    fn a_page_that_ends_before_its_head_has_no_place() {
        for page in [
            "",
            " ",
            "<",
            "<html",
            "<head a=\">",
            "<!-- <head>",
            "<!doctype html>",
            "<html>",
            "<!--",
            "<!-",
            "<hea",
        ] {
            assert_eq!(place(page, 1), None, "{page}");
            let (mut prologue, mut out) = (Prologue::default(), Vec::new());
            assert!(prologue.read(page.as_bytes(), &mut out).is_none());
            out.extend(prologue.into_opening());
            assert_eq!(out, page.as_bytes(), "nothing is lost");
        }
    }
}
