//! What is written into a page: style, data and script tag (`docs/protocol.md`, "In the page"). ASCII only, so it reads the
//! same in every encoding that a page may have; data are data, never code.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Serialize;

use crate::layer::csp::Allowed;

/// All that one visitor is told in the page.
#[derive(Clone, Debug)]
pub struct Snippet<'a> {
    /// Path of the script, with its build: `/.flashback/client.js?v=…`.
    pub client: &'a str,
    /// Path of the notice's script, where the site wants one.
    pub notice: Option<&'a str>,
    /// The page's room, 16 hexadecimal digits.
    pub room: &'a str,
    /// The visitor's token, base64.
    pub token: &'a str,
    /// How long media are held. `Some` at depth `media`; `None` at depth `assist`, which needs no style.
    pub hold: Option<Duration>,
    /// Whether private addresses are exchanged.
    pub lan: bool,
    /// Where the visitor asks for its own address.
    pub stun: Option<Stun<'a>>,
    /// The manifest.
    pub objects: &'a Objects,
    /// What the policy asks of the script tag.
    pub script: &'a Allowed,
    /// What the policy asks of the style tag; without it there is no hold.
    pub style: Option<&'a Allowed>,
}

/// The site's own STUN responder.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub enum Stun<'a> {
    /// A UDP port at the page's host.
    Port(u16),
    /// A whole `stun:` URL.
    Url(&'a str),
}

/// The list of a manifest's objects, written once for all visitors of the same manifest.
#[derive(Clone, Debug)]
pub struct Objects(Arc<str>);

impl Objects {
    /// Writes a list of objects; each becomes what [`Serialize`] makes of it.
    ///
    /// # Errors
    /// What the serialisation of an object fails with.
    pub fn new<T: Serialize>(objects: impl IntoIterator<Item = T>) -> Result<Self, serde_json::Error> {
        let objects: Vec<T> = objects.into_iter().collect();
        Ok(Self(harmless(&serde_json::to_string(&objects)?).into()))
    }

    /// The list of a page without objects.
    #[must_use]
    pub fn none() -> Self {
        Self("[]".into())
    }
}

impl Snippet<'_> {
    /// The markup, ready to be put into a head.
    ///
    /// # Errors
    /// Serialisation of plain fields, which does not fail for any value of them.
    pub fn render(&self) -> Result<Bytes, serde_json::Error> {
        let hold = self.hold.filter(|_| self.style.is_some());
        let mut out = String::with_capacity(1024 + self.objects.0.len());
        if let (Some(hold), Some(style)) = (hold, self.style) {
            push_style(&mut out, hold, style);
        }
        let fields = harmless(&serde_json::to_string(&Fields {
            v: 1,
            room: self.room,
            token: self.token,
            depth: if hold.is_some() { "media" } else { "assist" },
            hold_ms: hold.map_or(0, |hold| hold.as_millis().try_into().unwrap_or(u64::MAX)),
            lan: self.lan,
            stun: self.stun,
        })?);
        // The list is the last field of the object, so that it need not be written anew for every visitor.
        let fields = fields.strip_suffix('}').unwrap_or(&fields);
        out.push_str("<script type=\"application/json\" id=\"flashback-page\">");
        out.push_str(fields);
        out.push_str(",\"objects\":");
        out.push_str(&self.objects.0);
        out.push_str("}</script>\n");
        for script in [Some(self.client), self.notice].into_iter().flatten() {
            out.push_str("<script async data-flashback");
            push_nonce(&mut out, self.script);
            out.push_str(" src=\"");
            push_attribute(&mut out, script);
            out.push_str("\"></script>\n");
        }
        Ok(out.into())
    }
}

#[derive(Serialize)]
struct Fields<'a> {
    v: u8,
    room: &'a str,
    token: &'a str,
    depth: &'static str,
    hold_ms: u64,
    lan: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stun: Option<Stun<'a>>,
}

/// Only where scripts run, and it ends by itself: if ours never comes, the images load from the origin.
fn push_style(out: &mut String, hold: Duration, allowed: &Allowed) {
    out.push_str("<style data-flashback");
    push_nonce(out, allowed);
    // Writing to a string does not fail.
    let _ = write!(
        out,
        ">@media (scripting:enabled){{[data-flashback-hold]{{animation:flashback-hold {}ms step-end}}}}\n\
         @keyframes flashback-hold{{from,to{{translate:0 -99999px}}}}</style>\n",
        hold.as_millis()
    );
}

fn push_nonce(out: &mut String, allowed: &Allowed) {
    if let Some(nonce) = &allowed.nonce {
        out.push_str(" nonce=\"");
        out.push_str(nonce.as_str());
        out.push('"');
    }
}

fn push_attribute(out: &mut String, value: &str) {
    for letter in value.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '<' => out.push_str("&lt;"),
            letter if letter.is_ascii() => out.push(letter),
            letter => {
                let _ = write!(out, "&#{};", u32::from(letter));
            }
        }
    }
}

/// JSON that nothing in a page can mistake for anything else: `<`, `>` and `&` cannot end or open an element, and what is not
/// ASCII (U+2028 among it) is written as escapes. Outside of strings JSON has none of these letters.
fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() && !matches!(letter, '<' | '>' | '&' | '\x7f') {
            out.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[derive(Serialize)]
    struct Object<'a> {
        url: &'a str,
        length: u64,
    }

    fn render(snippet: &Snippet<'_>) -> String {
        String::from_utf8(snippet.render().expect("renders").to_vec()).expect("is ASCII")
    }

    fn with<'a>(objects: &'a Objects, allowed: &'a Allowed) -> Snippet<'a> {
        Snippet {
            client: "/.flashback/client.js?v=1",
            notice: None,
            room: "0123456789abcdef",
            token: "dG9rZW4",
            hold: Some(Duration::from_millis(300)),
            lan: false,
            stun: Some(Stun::Port(3478)),
            objects,
            script: allowed,
            style: Some(allowed),
        }
    }

    #[test]
    fn it_is_as_the_protocol_says() {
        let objects = Objects::new([Object {
            url: "/a.jpg",
            length: 9000,
        }])
        .expect("serialises");
        let protocol = concat!(
            "<style data-flashback>@media (scripting:enabled){[data-flashback-hold]{animation:flashback-hold 300ms step-end}}\n",
            "@keyframes flashback-hold{from,to{translate:0 -99999px}}</style>\n",
            "<script type=\"application/json\" id=\"flashback-page\">",
            "{\"v\":1,\"room\":\"0123456789abcdef\",\"token\":\"dG9rZW4\",\"depth\":\"media\",\"hold_ms\":300,\"lan\":false,",
            "\"stun\":3478,\"objects\":[{\"url\":\"/a.jpg\",\"length\":9000}]}</script>\n",
            "<script async data-flashback src=\"/.flashback/client.js?v=1\"></script>\n",
        );
        assert_eq!(render(&with(&objects, &Allowed::default())), protocol);
    }

    #[test]
    fn hostile_names_stay_data() {
        let url = "/</script><!--&\u{2028}\u{2029}\u{1f600}\"\\x";
        let objects = Objects::new([Object { url, length: 1 }]).expect("serialises");
        let allowed = Allowed::default();
        let page = render(&Snippet {
            client: "/\"><b&\u{e9}",
            ..with(&objects, &allowed)
        });
        assert!(page.is_ascii());
        assert_eq!(page.matches('<').count(), 6, "three elements: {page}");
        let json = page
            .split_once("flashback-page\">")
            .and_then(|(_, rest)| rest.split_once("</script>"));
        let read: serde_json::Value = serde_json::from_str(json.expect("has data").0).expect("is JSON");
        assert_eq!(
            read.pointer("/objects/0/url").and_then(|url| url.as_str()),
            Some(url)
        );
        assert!(page.contains("src=\"/&quot;>&lt;b&amp;&#233;\""), "{page}");
    }

    #[test]
    fn nonces_stand_on_both_tags() {
        let page = Url::parse("https://a.example/").expect("a URL");
        let verdict = crate::layer::csp::judge_list(
            "script-src 'nonce-s1'; style-src 'nonce-c2'; worker-src 'self'",
            &page,
        )
        .expect("is allowed");
        let objects = Objects::none();
        let snippet = Snippet {
            script: &verdict.script,
            style: verdict.style.as_ref(),
            ..with(&objects, &verdict.script)
        };
        let page = render(&snippet);
        assert!(page.contains("<style data-flashback nonce=\"c2\">"), "{page}");
        assert!(
            page.contains("<script async data-flashback nonce=\"s1\" src="),
            "{page}"
        );
    }

    #[test]
    fn the_notice_comes_behind_the_client_with_the_same_nonce() {
        let page = Url::parse("https://a.example/").expect("a URL");
        let policy = "script-src 'nonce-s1'; style-src 'nonce-c2'; worker-src 'self'";
        let verdict = crate::layer::csp::judge_list(policy, &page).expect("is allowed");
        let objects = Objects::none();
        let page = render(&Snippet {
            notice: Some("/.flashback/notice.js?v=2"),
            ..with(&objects, &verdict.script)
        });
        assert!(
            page.ends_with(
                "<script async data-flashback nonce=\"s1\" src=\"/.flashback/client.js?v=1\"></script>\n\
                 <script async data-flashback nonce=\"s1\" src=\"/.flashback/notice.js?v=2\"></script>\n"
            ),
            "{page}"
        );
    }

    #[test]
    fn without_a_style_there_is_no_hold() {
        let (objects, allowed) = (Objects::none(), Allowed::default());
        for snippet in [
            Snippet {
                style: None,
                ..with(&objects, &allowed)
            },
            Snippet {
                hold: None,
                ..with(&objects, &allowed)
            },
        ] {
            let page = render(&snippet);
            assert!(!page.contains("<style"), "{page}");
            assert!(page.contains("\"depth\":\"assist\",\"hold_ms\":0"), "{page}");
            assert!(page.contains("\"objects\":[]}"), "{page}");
        }
    }
}
