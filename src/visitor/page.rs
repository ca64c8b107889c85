//! A page as it came: what it refers to, and, while it is hot, what the site says about carrying it (`docs/protocol.md`,
//! "In the page"). Read once, bounded, and never trusted further than its digests.

use std::{cell::RefCell, collections::HashSet};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use lol_html::{RewriteStrSettings, element, rewrite_str, text};
use serde::Deserialize;
use url::Url;

use crate::{
    broker::signal::TOKEN,
    content::{CHUNK, DIGEST, Digest, RoomId, chunks_of},
    swarm::message::Digests,
};

/// What a page tells whoever loads it.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Paths of the site that a browser would load with it, each once.
    pub(super) references: Vec<String>,
    /// None while it is calm.
    pub(super) hot: Option<Hot>,
}

/// What the site says about carrying the page.
#[derive(Debug)]
pub(super) struct Hot {
    pub(super) room: RoomId,
    pub(super) token: [u8; TOKEN],
    /// Whether addresses of private networks may be told and tried.
    pub(super) lan: bool,
    /// A `stun:` URL.
    pub(super) stun: Option<String>,
    /// In the order of their chunks, without overlap.
    pub(super) objects: Vec<Listed>,
}

/// An object of the manifest.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) url: String,
    /// Content type.
    pub(super) kind: String,
    pub(super) length: u64,
    pub(super) first: u32,
    pub(super) digest: Digest,
    /// None where the list is to be fetched.
    pub(super) chunks: Option<Vec<Digest>>,
}

impl Page {
    /// Reads a page that came from `url`. What is no page of ours is calm.
    pub(super) fn read(html: &str, url: &Url) -> Self {
        let (json, found) = (RefCell::new(String::new()), RefCell::new(References::default()));
        let add = |element: &lol_html::html_content::Element<'_, '_>, attribute: &str| {
            if let Some(path) = element.get_attribute(attribute) {
                found.borrow_mut().add(&path, url);
            }
        };
        let settings = RewriteStrSettings::new()
            .append_element_content_handler(text!("script#flashback-page", |part| {
                json.borrow_mut().push_str(part.as_str());
                Ok(())
            }))
            .append_element_content_handler(element!(LOADED, |element| {
                add(element, "src");
                Ok(())
            }))
            .append_element_content_handler(element!("video[poster]", |element| {
                add(element, "poster");
                Ok(())
            }))
            .append_element_content_handler(element!("link[rel~=stylesheet], link[rel~=icon]", |element| {
                add(element, "href");
                Ok(())
            }));
        // What the parser refuses is a page all the same: a browser would show something of it.
        let _ = rewrite_str(html, settings);
        Self {
            hot: Hot::read(&json.into_inner(), url),
            references: found.into_inner().ordered,
        }
    }
}

/// The JSON as it stands in the page.
#[derive(Deserialize)]
struct Json {
    v: u8,
    room: String,
    token: String,
    #[serde(default)]
    lan: bool,
    stun: Option<Stun>,
    objects: Vec<JsonObject>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stun {
    Port(u16),
    Url(String),
}

#[derive(Deserialize)]
struct JsonObject {
    url: String,
    #[serde(rename = "type", default)]
    kind: String,
    length: u64,
    first: u32,
    digest: Digest,
    chunks: Option<String>,
}

impl Hot {
    fn read(json: &str, page: &Url) -> Option<Self> {
        let json: Json = serde_json::from_str(json)
            .ok()
            .filter(|json: &Json| json.v == 1)?;
        let mut objects: Vec<_> = json
            .objects
            .into_iter()
            .map(Listed::read)
            .collect::<Option<_>>()?;
        objects.sort_by_key(|object| object.first);
        let apart = objects
            .windows(2)
            .all(|pair| pair[0].end() <= u64::from(pair[1].first));
        let bounded = objects.last().is_none_or(|last| last.end() <= CHUNKS_MAX);
        (apart && bounded).then_some(())?;
        Some(Self {
            room: room(&json.room)?,
            token: STANDARD_NO_PAD.decode(json.token).ok()?.try_into().ok()?,
            lan: json.lan,
            stun: json.stun.and_then(|stun| match stun {
                Stun::Port(port) => Some(format!("stun:{}:{port}", page.host_str()?)),
                Stun::Url(url) => Some(url),
            }),
            objects,
        })
    }
}

/// The digests that a list is made of; what is left over at its end makes it another list.
pub(super) fn read_list(list: &[u8]) -> Vec<Digest> {
    list.chunks(DIGEST)
        .map(|digest| Digest(digest.try_into().unwrap_or_default()))
        .collect()
}

fn room(text: &str) -> Option<RoomId> {
    let number = u64::from_str_radix(text, 16).ok()?;
    (text.len() == 16).then(|| RoomId(number.to_be_bytes()))
}

impl Listed {
    fn read(json: JsonObject) -> Option<Self> {
        let mut object = Self {
            url: json.url,
            kind: json.kind,
            length: json.length,
            first: json.first,
            digest: json.digest,
            chunks: None,
        };
        (object.length > 0 && object.end() <= CHUNKS_MAX).then_some(())?;
        if let Some(list) = json.chunks {
            object
                .learn(read_list(&STANDARD.decode(list).ok()?))
                .then_some(())?;
        }
        Some(object)
    }

    /// Takes the list of its chunks' digests. False if it is not the list that its own digest names.
    pub(super) fn learn(&mut self, digests: Vec<Digest>) -> bool {
        let right = digests.len() as u64 == chunks_of(self.length)
            && Digest::of_digests(digests.iter().copied()) == self.digest;
        if right {
            self.chunks = Some(digests);
        }
        right
    }

    /// Whether its list is short enough for neighbours to tell it.
    pub(super) fn is_told_by_neighbours(&self) -> bool {
        chunks_of(self.length) <= Digests::COUNT_MAX as u64
    }

    /// Where the site has the list.
    pub(super) fn list_path(&self) -> String {
        format!("/.flashback/digests/{}", self.digest)
    }

    /// Whether a browser loads it with a page of these references. Style sheets refer to more than the page shows: pictures
    /// and fonts of the manifest are taken to be theirs.
    pub(super) fn is_loaded_by(&self, references: &[String]) -> bool {
        let shown = ["image/", "font/"].iter().any(|kind| self.kind.starts_with(kind));
        shown || references.contains(&self.url)
    }

    /// One past the number of its last chunk.
    pub(super) fn end(&self) -> u64 {
        u64::from(self.first) + chunks_of(self.length)
    }

    /// The bytes of the object that a chunk is.
    pub(super) fn bytes_of(&self, chunk: u32) -> std::ops::Range<u64> {
        let from = u64::from(chunk.saturating_sub(self.first)) * CHUNK as u64;
        from..(from + CHUNK as u64).min(self.length)
    }
}

#[derive(Default)]
struct References {
    ordered: Vec<String>,
    known: HashSet<String>,
}

impl References {
    fn add(&mut self, reference: &str, page: &Url) {
        let Ok(url) = page.join(reference.trim()) else {
            return;
        };
        if url.origin() != page.origin() || self.ordered.len() >= REFERENCES_MAX {
            return;
        }
        let path = url.query().map_or_else(
            || url.path().to_owned(),
            |query| format!("{}?{query}", url.path()),
        );
        if self.known.insert(path.clone()) {
            self.ordered.push(path);
        }
    }
}

/// What a browser loads without being asked. Films and sounds are not among it, but for those that play by themselves.
const LOADED: &str =
    "img, script, video[autoplay], audio[autoplay], video[autoplay] source, audio[autoplay] source";
/// Pages with more are rare, and a rehearsal is about the heavy ones among them.
const REFERENCES_MAX: usize = 256;
/// What the wire can number.
const CHUNKS_MAX: u64 = 1 << 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(html: &str) -> Page {
        Page::read(html, &"http://site.example/a/".parse().expect("a URL"))
    }

    fn hot(json: &str) -> Option<Hot> {
        read(&format!(
            "<head><script type=application/json id=flashback-page>{json}</script></head>"
        ))
        .hot
    }

    const ROOM: &str = r#""room":"0123456789abcdef","token":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE""#;

    #[test]
    fn what_a_browser_loads_is_found_once() {
        let page = read(
            "<link rel=stylesheet href=/s.css><link rel=next href=/next><img src=b.jpg><img src=/a/b.jpg#x>\
             <img src=https://elsewhere.example/c.jpg><video src=/film.webm poster=/p.jpg></video>\
             <video autoplay><source src=/loop.webm></video><script src='/x.js?v=1'></script><img src='data:,x'>",
        );
        assert!(page.hot.is_none());
        assert_eq!(
            page.references,
            ["/s.css", "/a/b.jpg", "/p.jpg", "/loop.webm", "/x.js?v=1"]
        );
    }

    #[test]
    fn a_hot_page_tells_its_room_and_its_objects_in_order() {
        let digest = Digest::of(b"");
        let object = |first: u32| {
            format!(
                r#"{{"url":"/{first}","type":"image/png","length":16385,"first":{first},"digest":"{digest}"}}"#
            )
        };
        let json = |objects: &[String]| {
            format!(
                r#"{{"v":1,{ROOM},"lan":true,"stun":3478,"objects":[{}]}}"#,
                objects.join(",")
            )
        };
        let page = hot(&json(&[object(5), object(0)])).expect("is hot");
        assert_eq!(page.room.to_string(), "0123456789abcdef");
        assert_eq!(page.stun.as_deref(), Some("stun:site.example:3478"));
        assert!(page.lan);
        let firsts: Vec<_> = page.objects.iter().map(|object| object.first).collect();
        assert_eq!(firsts, [0, 5]);
        assert!(page.objects[0].is_loaded_by(&[]));
        assert!(
            hot(&json(&[object(0), object(1)])).is_none(),
            "they share a number"
        );
        assert!(hot(&json(&[object(u32::MAX)])).is_none(), "beyond all numbers");
    }

    #[test]
    fn what_is_not_of_the_protocol_is_a_calm_page() {
        for json in [
            "",
            "{}",
            &format!(r#"{{"v":2,{ROOM},"objects":[]}}"#),
            r#"{"v":1,"room":"0123","token":"AQ","objects":[]}"#,
            &format!(r#"{{"v":1,{ROOM},"objects":[{{"url":"/","length":0,"first":0,"digest":"00"}}]}}"#),
        ] {
            assert!(hot(json).is_none(), "{json}");
        }
    }

    #[test]
    fn a_list_of_digests_is_the_one_that_its_own_digest_names() {
        let digests = [Digest::of(b"a"), Digest::of(b"b")];
        let mut object = Listed {
            url: "/".to_owned(),
            kind: String::new(),
            length: CHUNK as u64 + 1,
            first: 0,
            digest: Digest::of_digests(digests),
            chunks: None,
        };
        let list = digests.map(|digest| digest.0).concat();
        for wrong in [&list[..16], &list[..31], &[list.clone(), vec![0; 16]].concat()] {
            assert!(!object.learn(read_list(wrong)));
        }
        assert!(object.learn(read_list(&list)));
        assert_eq!(object.chunks.as_deref(), Some(&digests[..]));
    }
}
