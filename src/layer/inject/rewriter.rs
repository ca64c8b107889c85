//! Turns the bytes of a page into those of the carried page, as they come. Bytes in, bytes out: no request, no body, no
//! clock. Fails open: whatever goes wrong, all that has come in goes out once, and the rest passes as it is.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use encoding_rs::Encoding;
use lol_html::{AsciiCompatibleEncoding, errors::RewritingError};
use url::Url;

use super::{
    Carried,
    charset::{BOM, Charset, Sniffer},
    markup::{self, Parser, Shared},
    prologue::Prologue,
    reference::Base,
};

/// What is to be done to a page.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is put into the head: [`Snippet::render`](super::Snippet::render). Empty if the page is to be read only, for
    /// what it refers to: then not a byte of it changes.
    pub snippet: Bytes,
    /// The page's URL, as the visitor sees it: references are resolved against it.
    pub page: Url,
    /// What may be held. `None` at depth `assist`.
    pub carried: Option<Arc<Carried>>,
    /// Encoding that the `Content-Type` names: [`Injection::encoding`](crate::layer::gate::Injection::encoding).
    pub encoding: Option<AsciiCompatibleEncoding>,
}

/// What became of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The snippet is in it.
    pub injected: bool,
    /// Path and query of the media that it refers to on this site, in its order, each once.
    pub references: Vec<String>,
    /// Why some or all of it passed as it was.
    pub fault: Option<Fault>,
}

/// Why a page was not rewritten to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// UTF-16 or the like, against what the `Content-Type` says.
    Charset,
    /// It carries the snippet of another layer already.
    Twice,
    /// It ended before anything was in it.
    Empty,
    /// A tag larger than the parser may keep.
    Memory,
    /// The parser gave up for another reason.
    Markup,
}

/// The rewriting of one page.
///
/// ```
/// use tower_flashback::layer::inject::{Plan, Rewriter};
///
/// let plan = Plan {
///     snippet: "<script src=/x.js></script>".into(),
///     page: "https://site.example/".parse()?,
///     carried: None,
///     encoding: None,
/// };
/// let (mut rewriter, mut out) = (Rewriter::new(plan), Vec::new());
/// rewriter.write(b"<!doctype html><he", &mut out);
/// rewriter.write(b"ad><meta charset=utf-8><title>Hello</title><img src=a.jpg>", &mut out);
/// let outcome = rewriter.end(&mut out);
/// assert!(out.starts_with(b"<!doctype html><head>"));
/// assert_eq!(outcome.references, ["/a.jpg"]);
/// # Ok::<(), url::ParseError>(())
/// ```
pub struct Rewriter {
    plan: Plan,
    stage: Stage,
    charset: Charset,
    shared: Shared,
    outcome: Outcome,
}

enum Stage {
    /// Waiting for the encoding.
    Sniff(Sniffer),
    /// Looking for the head.
    Prologue(Prologue),
    /// At the place: whether what follows is the snippet of another layer.
    Place(Vec<u8>),
    /// Behind the snippet.
    Markup(Box<Parser>),
    /// As it is.
    Raw,
}

impl Fault {
    /// A word for metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charset => "charset",
            Self::Twice => "twice",
            Self::Empty => "empty",
            Self::Memory => "memory",
            Self::Markup => "markup",
        }
    }
}

impl Rewriter {
    /// A rewriter at the first byte of a page.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            stage: Stage::Sniff(Sniffer::new(plan.encoding)),
            plan,
            charset: Charset::Unknown,
            shared: Shared::default(),
            outcome: Outcome::default(),
        }
    }

    /// Takes the next bytes of the page, and appends to `out` what is certain by now.
    pub fn write(&mut self, input: &[u8], out: &mut Vec<u8>) {
        // Each stage hands what it has kept, or not used, on to the next one.
        match std::mem::replace(&mut self.stage, Stage::Raw) {
            Stage::Sniff(sniffer) => self.sniff(sniffer, input, out),
            Stage::Prologue(prologue) => self.seek(prologue, input, out),
            Stage::Place(kept) => self.place(kept, input, out),
            Stage::Markup(parser) => self.parse(parser, input, out),
            Stage::Raw => out.extend_from_slice(input),
        }
    }

    /// Whether the rest passes as it is, so that it need not be copied through [`write`](Self::write).
    #[must_use]
    pub const fn is_raw(&self) -> bool {
        matches!(self.stage, Stage::Raw)
    }

    /// The page is at its end, or breaks off here. Appends to `out` what was kept back.
    pub fn end(mut self, out: &mut Vec<u8>) -> Outcome {
        match std::mem::replace(&mut self.stage, Stage::Raw) {
            Stage::Sniff(sniffer) => {
                self.charset = sniffer.end();
                self.after_mark(&sniffer.into_seen(), out);
                return self.end(out);
            }
            Stage::Place(kept) => {
                self.inject(&kept, out);
                return self.end(out);
            }
            Stage::Prologue(prologue) => {
                out.extend(prologue.into_opening());
                self.outcome.fault = Some(Fault::Empty);
            }
            Stage::Markup(parser) => {
                let ended = parser.end();
                self.shared.drain(out);
                self.heed(ended);
            }
            Stage::Raw => {}
        }
        self.settle()
    }

    /// What is known by now, for a page that nobody reads to its end.
    #[must_use]
    pub fn settle(mut self) -> Outcome {
        self.outcome.references = self.shared.take_references();
        self.outcome
    }

    fn sniff(&mut self, mut sniffer: Sniffer, input: &[u8], out: &mut Vec<u8>) {
        match sniffer.read(input) {
            None => self.stage = Stage::Sniff(sniffer),
            Some(Charset::Unsuitable) => {
                out.extend(sniffer.into_seen());
                self.outcome.fault = Some(Fault::Charset);
            }
            Some(charset) => {
                self.charset = charset;
                self.after_mark(&sniffer.into_seen(), out);
            }
        }
    }

    /// Leaves a byte order mark where it must be: first.
    fn after_mark(&mut self, seen: &[u8], out: &mut Vec<u8>) {
        let rest = seen.strip_prefix(BOM).unwrap_or(seen);
        out.extend_from_slice(seen.get(..seen.len() - rest.len()).unwrap_or_default());
        self.seek(Prologue::default(), rest, out);
    }

    fn seek(&mut self, mut prologue: Prologue, input: &[u8], out: &mut Vec<u8>) {
        match prologue.read(input, out) {
            None => self.stage = Stage::Prologue(prologue),
            Some(rest) => self.place(prologue.into_opening(), rest, out),
        }
    }

    fn place(&mut self, mut kept: Vec<u8>, input: &[u8], out: &mut Vec<u8>) {
        kept.extend_from_slice(input);
        if MARKS.iter().any(|mark| kept.starts_with(mark)) {
            out.append(&mut kept);
            self.outcome.fault = Some(Fault::Twice);
        } else if MARKS.iter().any(|mark| mark.starts_with(&kept)) {
            self.stage = Stage::Place(kept);
        } else {
            self.inject(&kept, out);
        }
    }

    fn inject(&mut self, after: &[u8], out: &mut Vec<u8>) {
        let writes = !self.plan.snippet.is_empty();
        if let (Charset::Declared(encoding), true) = (self.charset, writes) {
            let name = <&Encoding>::from(encoding).name();
            out.extend_from_slice(format!("<meta data-flashback charset=\"{name}\">").as_bytes());
        }
        out.extend_from_slice(&self.plan.snippet);
        self.outcome.injected = writes;
        let base = Base::new(self.plan.page.clone());
        let carried = self.plan.carried.clone().filter(|_| writes);
        let parser = markup::parser(base, carried, self.charset.encoding(), self.shared.clone());
        self.parse(Box::new(parser), after, out);
    }

    fn parse(&mut self, mut parser: Box<Parser>, input: &[u8], out: &mut Vec<u8>) {
        let written = parser.write(input);
        // On a failure the parser has put out all that it had been given.
        self.shared.drain(out);
        if self.heed(written) {
            self.stage = Stage::Markup(parser);
        }
    }

    fn heed(&mut self, result: Result<(), RewritingError>) -> bool {
        self.outcome.fault = match &result {
            Ok(()) => None,
            Err(RewritingError::MemoryLimitExceeded(_)) => Some(Fault::Memory),
            Err(_) => Some(Fault::Markup),
        };
        result.is_ok()
    }
}

impl fmt::Debug for Rewriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Sniff(_) => "sniff",
            Stage::Prologue(_) => "prologue",
            Stage::Place(_) => "place",
            Stage::Markup(_) => "markup",
            Stage::Raw => "raw",
        };
        f.debug_struct("Rewriter")
            .field("stage", &stage)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// How a snippet of ours begins, whatever its depth.
const MARKS: [&[u8]; 3] = [
    b"<style data-flashback",
    b"<meta data-flashback",
    b"<script type=\"application/json\" id=\"flashback-page\"",
];

#[cfg(test)]
#[path = "rewriter_tests.rs"]
mod tests;
