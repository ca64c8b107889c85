//! Which requests may be answered with a carried page, and which responses may become one. Decisions only: the rewriting
//! is in [`inject`](super::inject). Whatever is not plainly a page for a person in front of a browser passes untouched,
//! and [`Passed`] says why.
//!
//! A page that is personal or private may be given the script: the script shares only public objects (law 5), and
//! [`Variant::rewrite_head`](super::inject::Variant::rewrite_head) never makes a response more cacheable than it was.

use encoding_rs::Encoding;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request, response};
use lol_html::AsciiCompatibleEncoding;
use url::Url;

use super::csp::{self, Allowed, Refusal};

/// Why a page was passed on untouched. [`as_str`](Self::as_str) is the `reason` of `flashback_passed_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Passed {
    /// The method is not GET. A HEAD speaks truly of the page as the origin has it.
    Method,
    /// A request for a part of the page.
    Range,
    /// Not a navigation of a window: a fetch, a frame, an image, a page's fragment (htmx, Turbo, PJAX).
    NotNavigation,
    /// The visitor saves data (`Save-Data: on`).
    SaveData,
    /// The visitor asks not to be shared (`Sec-GPC: 1`).
    PrivacyControl,
    /// A crawler: it would neither give nor take.
    Bot,
    /// The status is not 200.
    Status,
    /// Not exactly `text/html`.
    ContentType,
    /// An encoding in which ASCII is not ASCII, such as UTF-16 or ISO-2022-JP.
    Charset,
    /// The body is compressed in a way that was not undone before.
    ContentEncoding,
    /// `Cache-Control: no-transform`.
    NoTransform,
    /// `Content-Disposition: attachment`: it is saved, not shown.
    Attachment,
    /// A content security policy, or an integrity policy, shuts us out.
    Policy(Refusal),
    /// The policy forbids the service worker, without which nothing can be carried.
    PolicyWorker,
}

/// What a response needs to become a carried page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// Encoding that the `Content-Type` names; without one the document itself says.
    pub encoding: Option<AsciiCompatibleEncoding>,
    /// What our script tag needs.
    pub script: Allowed,
    /// What our style tag needs; `None` if it is forbidden: then nothing can be held, and the depth is `assist`.
    pub style: Option<Allowed>,
}

impl Passed {
    /// A word for metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Range => "range",
            Self::NotNavigation => "not_navigation",
            Self::SaveData => "save_data",
            Self::PrivacyControl => "privacy_control",
            Self::Bot => "bot",
            Self::Status => "status",
            Self::ContentType => "content_type",
            Self::Charset => "charset",
            Self::ContentEncoding => "content_encoding",
            Self::NoTransform => "no_transform",
            Self::Attachment => "attachment",
            Self::Policy(Refusal::Script) => "csp_script",
            Self::Policy(Refusal::Connect) => "csp_connect",
            Self::Policy(Refusal::WebRtc) => "csp_webrtc",
            Self::Policy(Refusal::Sandbox) => "csp_sandbox",
            Self::Policy(Refusal::TrustedTypes) => "csp_trusted_types",
            Self::Policy(Refusal::Integrity) => "integrity_policy",
            Self::PolicyWorker => "csp_worker",
        }
    }
}

/// Whether the visitor behind this request may be given a carried page. A prerendered page may: its script waits until it
/// is looked at.
///
/// # Errors
/// The first reason against it.
pub fn may_carry_request(request: &request::Parts) -> Result<(), Passed> {
    let headers = &request.headers;
    if request.method != Method::GET {
        return Err(Passed::Method);
    }
    if headers.contains_key(header::RANGE) {
        return Err(Passed::Range);
    }
    if !is_navigation(headers) {
        return Err(Passed::NotNavigation);
    }
    if says(headers, "save-data", "on") {
        return Err(Passed::SaveData);
    }
    if says(headers, "sec-gpc", "1") {
        return Err(Passed::PrivacyControl);
    }
    if headers.get(header::USER_AGENT).is_some_and(is_bot) {
        return Err(Passed::Bot);
    }
    Ok(())
}

/// Whether this response may become a carried page. `page` is its URL as the visitor sees it.
///
/// # Errors
/// The first reason against it.
pub fn may_inject(response: &response::Parts, page: &Url) -> Result<Injection, Passed> {
    let headers = &response.headers;
    if response.status != StatusCode::OK {
        return Err(Passed::Status);
    }
    let encoding = html_encoding(headers)?;
    if headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|coding| !is(coding, "identity"))
    {
        return Err(Passed::ContentEncoding);
    }
    if lists(headers, header::CACHE_CONTROL).any(|directive| directive.eq_ignore_ascii_case("no-transform")) {
        return Err(Passed::NoTransform);
    }
    if headers
        .get_all(header::CONTENT_DISPOSITION)
        .iter()
        .any(|value| !starts_with(value, "inline"))
    {
        return Err(Passed::Attachment);
    }
    let verdict = csp::judge(headers, page).map_err(Passed::Policy)?;
    if !verdict.worker {
        return Err(Passed::PolicyWorker);
    }
    Ok(Injection {
        encoding,
        script: verdict.script,
        style: verdict.style,
    })
}

/// Browsers say it in `Sec-Fetch-Dest`, over TLS and on loopback. Elsewhere `Accept` has to do, and then the marks of
/// libraries that fetch fragments count; with `Sec-Fetch-Dest` they do not, for Android's web views send
/// `X-Requested-With` with every navigation.
fn is_navigation(headers: &HeaderMap) -> bool {
    if let Some(destination) = headers.get("sec-fetch-dest") {
        return is(destination, "document");
    }
    let wants_html = lists(headers, header::ACCEPT).any(|range| {
        range
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
    });
    wants_html && !FRAGMENT_MARKS.iter().any(|mark| headers.contains_key(*mark))
}

/// Looks for a whole word that ends in `bot`, so that `Googlebot/2.1` is one and a phone named `Bottle` is not.
fn is_bot(agent: &HeaderValue) -> bool {
    let agent = String::from_utf8_lossy(agent.as_bytes()).to_ascii_lowercase();
    if BOTS.iter().any(|bot| agent.contains(bot)) {
        return true;
    }
    agent
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word.ends_with("bot") && word != "cubot")
}

/// The encoding named by the one `Content-Type`, which must be HTML. An unknown label is none, as browsers have it.
fn html_encoding(headers: &HeaderMap) -> Result<Option<AsciiCompatibleEncoding>, Passed> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(kind), None) = (types.next(), types.next()) else {
        return Err(Passed::ContentType);
    };
    let kind = kind.to_str().map_err(|_| Passed::ContentType)?;
    let mut parts = kind.split(';');
    if !parts
        .next()
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("text/html"))
    {
        return Err(Passed::ContentType);
    }
    let label = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"'))
    });
    let Some(encoding) = label.and_then(|label| Encoding::for_label(label.as_bytes())) else {
        return Ok(None);
    };
    AsciiCompatibleEncoding::new(encoding)
        .map(Some)
        .ok_or(Passed::Charset)
}

fn lists(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn says(headers: &HeaderMap, name: &str, word: &str) -> bool {
    headers.get(name).is_some_and(|value| is(value, word))
}

fn is(value: &HeaderValue, word: &str) -> bool {
    value
        .as_bytes()
        .trim_ascii()
        .eq_ignore_ascii_case(word.as_bytes())
}

fn starts_with(value: &HeaderValue, word: &str) -> bool {
    let start = value.as_bytes().trim_ascii_start().get(..word.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

/// Marks of requests that put the answer into a page that is open already: htmx, jQuery and its kin, Turbo, PJAX, Unpoly,
/// Inertia.
const FRAGMENT_MARKS: [&str; 6] = [
    "hx-request",
    "x-requested-with",
    "turbo-frame",
    "x-pjax",
    "x-up-version",
    "x-inertia",
];

/// Crawlers and link previews whose names do not end in `bot`.
const BOTS: [&str; 7] = [
    "crawler",
    "spider",
    "slurp",
    "facebookexternalhit",
    "mediapartners-google",
    "whatsapp/",
    "embedly",
];

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
