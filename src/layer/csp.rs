//! Whether a page's `Content-Security-Policy` lets our script, style, worker and socket in (CSP Level 3). It reads
//! policies and never writes one: where a policy forbids us, the page is left alone.
//!
//! All headers count, and all policies of a comma-joined list: what one forbids is forbidden. Report-only policies
//! decide nothing. A policy in a `<meta>` of the page reaches us when our script tag is out already; by the HTML
//! standard it governs only what is fetched after it, so our script may run and then be refused its worker or its socket.
//! The client fails open by itself there, and the rewriter asks [`judge_list`] so as to hold nothing after such a `<meta>`.

use http::{HeaderMap, header::CONTENT_SECURITY_POLICY};
use url::Url;

/// What the policies of a response allow us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What our script tag needs.
    pub script: Allowed,
    /// Whether the service worker may be registered. Without it nothing can be carried.
    pub worker: bool,
    /// What our style tag needs; `None` if it is forbidden, and then nothing can be held (depth `assist`).
    pub style: Option<Allowed>,
}

/// An element is allowed, as it is or with a nonce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// The nonce that the element must carry. `None` if the policy does not ask for one: then none is written.
    pub nonce: Option<Nonce>,
}

/// A nonce out of a policy. Only the letters of the standard's `base64-value`, so it stands in an attribute as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

/// Why a page cannot be carried under its policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No source expression allows our script.
    Script,
    /// Our socket, or the way out over ranges, may not connect.
    Connect,
    /// `webrtc 'block'`.
    WebRtc,
    /// A sandbox without scripts or without the page's own origin.
    Sandbox,
    /// `require-trusted-types-for 'script'`: registering a worker by its URL is refused.
    TrustedTypes,
    /// Scripts need an integrity attribute (`require-sri-for`, `Integrity-Policy`).
    Integrity,
}

impl Nonce {
    fn parse(source: &str) -> Option<Self> {
        let inner = strip_prefix_ignore_case(source, "'nonce-")?.strip_suffix('\'')?;
        let digits = inner.trim_end_matches('=');
        let fits = !digits.is_empty()
            && inner.len() - digits.len() <= 2
            && digits
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(&b));
        fits.then(|| Self(inner.to_owned()))
    }

    /// The nonce, safe in a quoted attribute.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Verdict {
    /// A page without a policy.
    fn default() -> Self {
        Self {
            script: Allowed::default(),
            worker: true,
            style: Some(Allowed::default()),
        }
    }
}

/// Judges the response headers of `page` (its URL, with the scheme and host that the visitor sees).
///
/// # Errors
/// The first [`Refusal`] met.
pub fn judge(headers: &HeaderMap, page: &Url) -> Result<Verdict, Refusal> {
    for value in headers.get_all("integrity-policy") {
        let text = String::from_utf8_lossy(value.as_bytes());
        if text.contains("blocked-destinations") && text.contains("script") {
            return Err(Refusal::Integrity);
        }
    }
    // Bytes above ASCII are no part of any source we could match; lossy reading leaves the rest of the policy in force.
    let lists: Vec<_> = headers
        .get_all(CONTENT_SECURITY_POLICY)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    judge_policies(lists.iter().flat_map(|list| list.split(',')), page)
}

/// Judges one serialised list of policies, as a `<meta http-equiv=content-security-policy>` has it in `content`.
///
/// # Errors
/// The first [`Refusal`] met.
pub fn judge_list(list: &str, page: &Url) -> Result<Verdict, Refusal> {
    judge_policies(list.split(','), page)
}

fn judge_policies<'a>(policies: impl Iterator<Item = &'a str>, page: &Url) -> Result<Verdict, Refusal> {
    let (mut script, mut style, mut worker) = (Need::Nothing, Need::Nothing, true);
    for policy in policies.map(Policy::parse) {
        policy.check_barriers()?;
        if !policy.connects(page) {
            return Err(Refusal::Connect);
        }
        worker &= policy.allows_worker(page);
        script = script.and(policy.script(page));
        style = style.and(policy.style());
    }
    Ok(Verdict {
        script: script.settle().ok_or(Refusal::Script)?,
        worker,
        style: style.settle(),
    })
}

/// What policies ask of one element, taken together.
#[derive(Debug, PartialEq, Eq)]
enum Need {
    Nothing,
    /// One of these nonces.
    OneOf(Vec<Nonce>),
    Impossible,
}

impl Need {
    /// An element has one nonce only, so two policies that ask for one must share it.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, need) | (need, Self::Nothing) => need,
            (Self::OneOf(mine), Self::OneOf(theirs)) => {
                Self::nonces(mine.into_iter().filter(|nonce| theirs.contains(nonce)).collect())
            }
            _ => Self::Impossible,
        }
    }

    fn nonces(nonces: Vec<Nonce>) -> Self {
        if nonces.is_empty() {
            Self::Impossible
        } else {
            Self::OneOf(nonces)
        }
    }

    fn settle(self) -> Option<Allowed> {
        match self {
            Self::Nothing => Some(Allowed { nonce: None }),
            Self::OneOf(nonces) => Some(Allowed {
                nonce: nonces.into_iter().next(),
            }),
            Self::Impossible => None,
        }
    }
}

/// The directives of one policy, in order: the first of a name counts.
struct Policy<'a>(Vec<(&'a str, Vec<&'a str>)>);

impl<'a> Policy<'a> {
    fn parse(text: &'a str) -> Self {
        Self(
            text.split(';')
                .filter_map(|directive| {
                    let mut words = directive.split_ascii_whitespace();
                    Some((words.next()?, words.collect()))
                })
                .collect(),
        )
    }

    /// The values of the first of these directives that the policy has.
    fn first_of(&self, names: &[&str]) -> Option<&[&'a str]> {
        names.iter().find_map(|name| {
            let found = self.0.iter().find(|(have, _)| have.eq_ignore_ascii_case(name));
            found.map(|(_, values)| values.as_slice())
        })
    }

    /// Directives that are no source lists and shut us out altogether.
    fn check_barriers(&self) -> Result<(), Refusal> {
        let says = |name: &str, word: &str| self.first_of(&[name]).is_some_and(|values| has(values, word));
        if says("webrtc", "'block'") {
            return Err(Refusal::WebRtc);
        }
        if let Some(flags) = self.first_of(&["sandbox"])
            && !(has(flags, "allow-scripts") && has(flags, "allow-same-origin"))
        {
            return Err(Refusal::Sandbox);
        }
        if says("require-trusted-types-for", "'script'") {
            return Err(Refusal::TrustedTypes);
        }
        if says("require-sri-for", "script") {
            return Err(Refusal::Integrity);
        }
        Ok(())
    }

    fn script(&self, page: &Url) -> Need {
        let Some(sources) = self.first_of(&["script-src-elem", "script-src", "default-src"]) else {
            return Need::Nothing;
        };
        // Under 'strict-dynamic' hosts and 'self' are ignored for a script that stands in the markup.
        if !has(sources, "'strict-dynamic'") && matches(sources, &Target::new(page, CLIENT)) {
            return Need::Nothing;
        }
        Need::nonces(nonces(sources))
    }

    fn style(&self) -> Need {
        let Some(sources) = self.first_of(&["style-src-elem", "style-src", "default-src"]) else {
            return Need::Nothing;
        };
        let nonces = nonces(sources);
        // A nonce or a hash in the list switches 'unsafe-inline' off.
        if has(sources, "'unsafe-inline'") && nonces.is_empty() && !sources.iter().any(|s| is_hash(s)) {
            return Need::Nothing;
        }
        Need::nonces(nonces)
    }

    fn allows_worker(&self, page: &Url) -> bool {
        let target = Target::new(page, WORKER);
        if let Some(sources) = self.first_of(&["worker-src", "child-src"]) {
            return matches(sources, &target);
        }
        self.first_of(&["script-src", "default-src"])
            .is_none_or(|sources| {
                // A worker is not inserted by the parser, so 'strict-dynamic' lets it through (CSP3 §6.7.1.1). Firefox refuses
                // all the same; its `register()` then rejects at once, and the client lets the page go.
                has(sources, "'strict-dynamic'") || matches(sources, &target)
            })
    }

    /// The socket and the way out; both are asked for, `https:` alone does not cover `wss:` in Chromium.
    fn connects(&self, page: &Url) -> bool {
        self.first_of(&["connect-src", "default-src"])
            .is_none_or(|sources| {
                let signal = Target::new(page, SIGNAL);
                let socket = Target {
                    scheme: if signal.scheme == "https" { "wss" } else { "ws" },
                    ..signal
                };
                matches(sources, &socket) && matches(sources, &Target::new(page, OBJECT))
            })
    }
}

/// A URL of ours, as source expressions see it.
struct Target<'a> {
    page: &'a Url,
    scheme: &'static str,
    path: &'static str,
}

impl<'a> Target<'a> {
    fn new(page: &'a Url, path: &'static str) -> Self {
        Self {
            page,
            scheme: if page.scheme() == "https" { "https" } else { "http" },
            path,
        }
    }
}

/// Whether any expression of the list matches the URL (CSP3 §6.7.2.7; redirects do not occur).
fn matches(sources: &[&str], target: &Target<'_>) -> bool {
    sources.iter().any(|source| match *source {
        "*" => true,
        s if s.eq_ignore_ascii_case("'self'") => true,
        s if s.starts_with('\'') => false,
        s => match s.strip_suffix(':') {
            Some(scheme) => scheme_matches(scheme, target.scheme),
            None => host_matches(s, target),
        },
    })
}

fn scheme_matches(allowed: &str, scheme: &str) -> bool {
    let allowed = allowed.to_ascii_lowercase();
    allowed == scheme
        || matches!(
            (allowed.as_str(), scheme),
            ("http", "https") | ("ws", "wss" | "http" | "https") | ("wss", "https")
        )
}

fn host_matches(source: &str, target: &Target<'_>) -> bool {
    let (scheme, rest) = match source.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        // Without a scheme the page's own is meant; a socket of ours is as secure as the page.
        None => (target.scheme, source),
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    scheme_matches(scheme, target.scheme)
        && host_part_matches(host, target.page.host_str().unwrap_or_default())
        && port_matches(port, target)
        && path_matches(path, target.path)
}

fn host_part_matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase(), host.to_ascii_lowercase());
    match pattern.strip_prefix('*') {
        Some("") => true,
        Some(suffix) => suffix.starts_with('.') && host.ends_with(suffix),
        None => pattern == host,
    }
}

fn port_matches(port: &str, target: &Target<'_>) -> bool {
    let default = if matches!(target.scheme, "https" | "wss") {
        443
    } else {
        80
    };
    let actual = target.page.port().unwrap_or(default);
    match port {
        "*" => true,
        "" => actual == default,
        port => port.parse() == Ok(actual) || (port == "80" && actual == 443),
    }
}

fn path_matches(pattern: &str, path: &str) -> bool {
    pattern.is_empty() || pattern == path || (pattern.ends_with('/') && path.starts_with(pattern))
}

fn nonces(sources: &[&str]) -> Vec<Nonce> {
    sources.iter().filter_map(|source| Nonce::parse(source)).collect()
}

fn is_hash(source: &str) -> bool {
    ["'sha256-", "'sha384-", "'sha512-"]
        .iter()
        .any(|start| strip_prefix_ignore_case(source, start).is_some())
}

fn has(values: &[&str], word: &str) -> bool {
    values.iter().any(|value| value.eq_ignore_ascii_case(word))
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The paths that a policy may name one by one (`docs/protocol.md`); of objects it is the folder that must be open.
const CLIENT: &str = "/.flashback/client.js";
const WORKER: &str = "/.flashback/sw.js";
const SIGNAL: &str = "/.flashback/signal";
const OBJECT: &str = "/.flashback/object/";

#[cfg(test)]
#[path = "csp_tests.rs"]
mod tests;
