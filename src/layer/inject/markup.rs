//! What is done to the elements of a page after its head has begun: references are gathered, and media whose URL is carried
//! are held as the table of `docs/protocol.md` says. An element that is not held keeps its bytes.
//!
//! Inside `<template>` nothing is touched: a copy of a held image that a script makes would not be found again by ours.
//! Inside `<noscript>` the parser sees text only, so visitors without scripts get what the origin wrote.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use lol_html::{
    AsciiCompatibleEncoding, HandlerResult, MemorySettings, OutputSink, element,
    send::{Element, HtmlRewriter, Settings},
};

use super::{
    Carried,
    reference::{Base, References, candidates},
};
use crate::layer::csp;

/// The parser of the page, its handlers inside, writing to a buffer that is emptied after each chunk.
pub(super) type Parser = HtmlRewriter<'static, Sink>;

/// What parser and rewriter both reach: the parser keeps its sink and its handlers to itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    out: Arc<Mutex<Vec<u8>>>,
    references: Arc<Mutex<References>>,
}

/// Output of the parser.
pub(super) struct Sink(Shared);

/// The state of the handlers.
struct Markup {
    base: Base,
    /// Present while media may be held.
    carried: Option<Arc<Carried>>,
    /// A `<source>` of the `<picture>` that is open is carried.
    picture: bool,
    /// Open `<template>` elements.
    templates: Arc<AtomicUsize>,
    shared: Shared,
}

/// A parser for what follows the place of injection.
pub(super) fn parser(
    base: Base,
    carried: Option<Arc<Carried>>,
    encoding: AsciiCompatibleEncoding,
    shared: Shared,
) -> Parser {
    let sink = Sink(shared.clone());
    let mut markup = Markup {
        base,
        carried,
        picture: false,
        templates: Arc::default(),
        shared,
    };
    let memory = MemorySettings::new()
        .with_max_allowed_memory_usage(MAX_MEMORY)
        .with_graceful_bail_out_on_memory_limit_exceeded(true);
    let settings = Settings::new_send()
        // Ambiguous markup is what half the web is made of; at worst a held attribute lands in text that shows nothing.
        .with_strict(false)
        .with_encoding(encoding)
        .with_memory_settings(memory)
        .with_graceful_bail_out_on_content_handler_error(true)
        .append_element_content_handler(element!(ELEMENTS, move |element: &mut Element<'_, '_>| markup
            .meet(element)));
    HtmlRewriter::new(settings, sink)
}

impl Shared {
    /// Moves what the parser has written to `out`.
    pub(super) fn drain(&self, out: &mut Vec<u8>) {
        out.append(&mut self.out.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn take_references(&self) -> Vec<String> {
        self.references
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl OutputSink for Sink {
    fn handle_chunk(&mut self, chunk: &[u8]) {
        self.0
            .out
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(chunk);
    }
}

impl Markup {
    fn meet(&mut self, element: &mut Element<'_, '_>) -> HandlerResult {
        let name = element.tag_name();
        if name == "template" {
            return self.enter_template(element);
        }
        if self.templates.load(Relaxed) > 0 {
            return Ok(());
        }
        match name.as_str() {
            "base" => {
                if let Some(href) = element.get_attribute("href") {
                    self.base.rebase(&href);
                }
            }
            "meta" => self.heed_policy(element),
            "picture" => self.picture = false,
            "source" => {
                self.refer(element, &["src"]);
                // In a picture only this attribute counts, and elsewhere it does not.
                self.picture |= self.refer_set(element, "srcset");
            }
            "img" => return self.image(element),
            "video" | "audio" => return self.player(element, &name),
            "link" => return self.link(element),
            "a" => {
                self.refer(element, &["href"]);
            }
            "object" => {
                self.refer(element, &["data"]);
            }
            _ => {
                self.refer(element, &["src"]);
            }
        }
        Ok(())
    }

    fn enter_template(&self, element: &mut Element<'_, '_>) -> HandlerResult {
        // A self-closed one in SVG has no content.
        if element.can_have_content() {
            self.templates.fetch_add(1, Relaxed);
            let open = Arc::clone(&self.templates);
            element.on_end_tag(Box::new(move |_| {
                open.fetch_sub(1, Relaxed);
                Ok(())
            }))?;
        }
        Ok(())
    }

    /// A policy inside the page governs what comes after it. If it shuts us out, nothing more is held.
    fn heed_policy(&mut self, element: &Element<'_, '_>) {
        let names_policy = element
            .get_attribute("http-equiv")
            .is_some_and(|name| name.trim().eq_ignore_ascii_case("content-security-policy"));
        let Some(policy) = element.get_attribute("content").filter(|_| names_policy) else {
            return;
        };
        let policy = super::reference::unescape(&policy);
        if !csp::judge_list(&policy, self.base.page()).is_ok_and(|verdict| verdict.worker) {
            self.carried = None;
        }
    }

    fn image(&mut self, element: &mut Element<'_, '_>) -> HandlerResult {
        let own = self.refer(element, &["src"]) | self.refer_set(element, "srcset");
        if std::mem::take(&mut self.picture) | own && self.carried.is_some() {
            mark(element, "data-flashback-hold", "loading", "lazy")?;
        }
        Ok(())
    }

    fn player(&mut self, element: &mut Element<'_, '_>, name: &str) -> HandlerResult {
        let own = self.refer(element, &["src"]);
        let poster = name == "video" && element.has_attribute("poster");
        self.refer(element, &["poster"]);
        let Some(carried) = &self.carried else {
            return Ok(());
        };
        let expected = own || (!element.has_attribute("src") && carried.plays_in(name));
        // Without a poster a film that loads nothing would show nothing, and one that plays by itself must not wait.
        if expected && (name == "audio" || poster) && !element.has_attribute("autoplay") {
            mark(element, "data-flashback-preload", "preload", "none")?;
        }
        Ok(())
    }

    fn link(&mut self, element: &mut Element<'_, '_>) -> HandlerResult {
        let rel = element.get_attribute("rel").unwrap_or_default();
        let has = |word: &str| {
            rel.split_ascii_whitespace()
                .any(|have| have.eq_ignore_ascii_case(word))
        };
        let (icon, preload) = (has("icon"), rel.trim().eq_ignore_ascii_case("preload"));
        if !icon && !preload {
            return Ok(());
        }
        let carried = self.refer(element, &["href"]) | self.refer_set(element, "imagesrcset");
        let image = element
            .get_attribute("as")
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("image"));
        if preload && image && carried && self.carried.is_some() {
            element.set_attribute("rel", "flashback-preload")?;
        }
        Ok(())
    }

    /// Gathers the URLs of these attributes; whether one of them is carried.
    fn refer(&self, element: &Element<'_, '_>, attributes: &[&str]) -> bool {
        let values = attributes.iter().filter_map(|name| element.get_attribute(name));
        values.fold(false, |carried, value| carried | self.refer_url(&value))
    }

    /// The same for an attribute that lists candidates.
    fn refer_set(&self, element: &Element<'_, '_>, attribute: &str) -> bool {
        let set = element.get_attribute(attribute).unwrap_or_default();
        candidates(&set)
            .take(MAX_CANDIDATES)
            .fold(false, |carried, url| carried | self.refer_url(url))
    }

    fn refer_url(&self, url: &str) -> bool {
        let Some(path) = self.base.path_of(url) else {
            return false;
        };
        let carried = self.carried.as_ref().is_some_and(|carried| carried.has(&path));
        self.shared
            .references
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(path);
        carried
    }
}

/// Sets `attribute` to `value`, and keeps what it was in `memory` for the script that lets go.
fn mark(element: &mut Element<'_, '_>, memory: &str, attribute: &str, value: &str) -> HandlerResult {
    let before = element.get_attribute(attribute).unwrap_or_default();
    element.set_attribute(memory, &before)?;
    element.set_attribute(attribute, value)?;
    Ok(())
}

/// Elements that are looked at. `a` only where it is a download.
const ELEMENTS: &str = "base, meta[http-equiv], template, picture, source, img, video, audio, link[rel], a[download], \
                        object, embed, track";
/// Memory of the parser for one page. It keeps a tag that is not complete; larger ones have whole images inside, and then
/// the rest of the page passes as it is.
pub(super) const MAX_MEMORY: usize = 256 * 1024;
/// Candidates of a `srcset` that are looked at; image services write a dozen.
const MAX_CANDIDATES: usize = 64;
