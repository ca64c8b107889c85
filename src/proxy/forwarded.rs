//! Who the visitor is when other proxies stand in front, and what the origin is told about it. Only what a trusted
//! proxy wrote is believed: of a chain of addresses, the right-most one that is not a trusted proxy's is the visitor's,
//! since everything to its left may be the visitor's invention.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};

use super::config::{ChainHeader, Network, ServerSettings};

/// Who is believed, and in which header.
#[derive(Clone, Debug)]
pub struct Trust {
    networks: Vec<Network>,
    chain: ChainHeader,
}

impl Trust {
    /// As the settings say.
    #[must_use]
    pub fn new(settings: &ServerSettings) -> Self {
        Self {
            networks: settings.trusted_proxies.clone(),
            chain: settings.chain,
        }
    }

    /// Who sent this request, which came from `peer`.
    #[must_use]
    pub fn arrival(&self, peer: SocketAddr, headers: &HeaderMap) -> Arrival {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let trusted = self.trusts(peer.ip());
        let visitor = if trusted {
            self.visitor(peer, headers)
        } else {
            peer
        };
        Arrival {
            peer,
            visitor,
            chain: trusted.then_some(self.chain),
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Walks the chain from the right, as long as each hop is a trusted one and says whom it speaks for.
    fn visitor(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        let mut visitor = peer;
        for hop in hops(headers, self.chain).iter().rev() {
            let Some(address) = address(hop) else { break };
            visitor = address;
            if !self.trusts(address.ip()) {
                break;
            }
        }
        visitor
    }
}

/// Whence a request came. The port is 0 where a proxy told only the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// Who holds the other end of the connection.
    pub peer: SocketAddr,
    /// Who asked.
    pub visitor: SocketAddr,
    /// The header whose chain is continued; `None` if the peer is not trusted and its chain ends here.
    chain: Option<ChainHeader>,
}

impl Arrival {
    /// Writes what the origin is told. Everything that an untrusted peer said about itself is removed first.
    pub(super) fn tell(&self, headers: &mut HeaderMap, host: Option<&HeaderValue>) {
        let said = self.chain.map(|chain| (chain, joined(headers, name(chain))));
        let (proto, said_host) = self.believed(headers);
        remove(headers);
        let host = said_host.or_else(|| host.cloned());

        let mut plain = self.visitor.ip().to_string();
        let mut element = forwarded_element(self.visitor.ip(), proto, host.as_ref());
        match said {
            Some((ChainHeader::XForwardedFor, Some(chain))) => plain = format!("{chain}, {}", self.peer.ip()),
            Some((ChainHeader::Forwarded, Some(chain))) => {
                element = format!(
                    "{chain}, {}",
                    forwarded_element(self.peer.ip(), proto, host.as_ref())
                );
            }
            _ => {}
        }
        insert(headers, X_FORWARDED_FOR, &plain);
        insert(headers, X_FORWARDED_PROTO, proto);
        insert(headers, FORWARDED, &element);
        if let Some(host) = host {
            headers.insert(X_FORWARDED_HOST, host);
        }
    }

    /// Scheme and host that a trusted proxy saw, where they have the right form.
    fn believed(&self, headers: &HeaderMap) -> (&'static str, Option<HeaderValue>) {
        if self.chain.is_none() {
            return ("http", None);
        }
        let is_https = headers
            .get(X_FORWARDED_PROTO)
            .is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
        (
            if is_https { "https" } else { "http" },
            headers.get(X_FORWARDED_HOST).cloned(),
        )
    }
}

/// Removes everything that tells an address, for requests that no visitor stands behind.
pub(super) fn remove(headers: &mut HeaderMap) {
    for name in [
        &FORWARDED,
        &X_FORWARDED_FOR,
        &X_FORWARDED_HOST,
        &X_FORWARDED_PROTO,
        &X_REAL_IP,
    ] {
        headers.remove(name);
    }
}

fn name(chain: ChainHeader) -> HeaderName {
    match chain {
        ChainHeader::Forwarded => FORWARDED,
        ChainHeader::XForwardedFor => X_FORWARDED_FOR,
    }
}

fn joined(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// The hops as they are written, the visitor's first.
fn hops(headers: &HeaderMap, chain: ChainHeader) -> Vec<String> {
    let line = joined(headers, name(chain)).unwrap_or_default();
    match chain {
        ChainHeader::XForwardedFor => line.split(',').map(|hop| hop.trim().to_owned()).collect(),
        ChainHeader::Forwarded => split_quoted(&line, ',').into_iter().map(forwarded_for).collect(),
    }
}

/// The `for` of one element of `Forwarded`, without its quotes; empty if it has none.
fn forwarded_for(element: &str) -> String {
    let pairs = split_quoted(element, ';');
    let value = pairs
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| {
            name.trim()
                .eq_ignore_ascii_case("for")
                .then(|| value.trim().trim_matches('"').to_owned())
        });
    value.unwrap_or_default()
}

/// Splits outside quotes: `for="a,b", for=c` has two elements.
fn split_quoted(line: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    line.split(move |c: char| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
    .collect()
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; never `unknown` or `_hidden`.
fn address(hop: &str) -> Option<SocketAddr> {
    let found = hop.parse::<SocketAddr>().ok().or_else(|| {
        let bare = hop
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(hop);
        bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 0))
    })?;
    Some(SocketAddr::new(found.ip().to_canonical(), found.port()))
}

fn forwarded_element(address: IpAddr, proto: &str, host: Option<&HeaderValue>) -> String {
    let address = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    // A quote or a backslash in the host would end the quoted string and begin an element of the visitor's choice.
    let host = host
        .and_then(|host| host.to_str().ok())
        .filter(|host| !host.contains(['"', '\\']));
    let host = host.map(|host| format!(";host=\"{host}\"")).unwrap_or_default();
    format!("for={address}{host};proto={proto}")
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Made of addresses and of header text that was read before: it is one.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Not written by us, but believed by many frameworks: an untrusted one must not get through.
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(chain: ChainHeader) -> Trust {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
        Trust {
            networks: networks.to_vec(),
            chain,
        }
    }

    fn visitor(chain: ChainHeader, peer: &str, lines: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name(chain), HeaderValue::from_static(line));
        }
        trust(chain)
            .arrival(peer.parse().expect("an address"), &headers)
            .visitor
            .to_string()
    }

    #[test]
    fn the_right_most_untrusted_address_is_the_visitor() {
        use ChainHeader::XForwardedFor as X;
        for (peer, lines, expected) in [
            ("192.0.2.9:5", &["198.51.100.1"][..], "192.0.2.9:5"),
            ("10.0.0.1:5", &[][..], "10.0.0.1:5"),
            ("10.0.0.1:5", &["198.51.100.1"][..], "198.51.100.1:0"),
            ("[::ffff:10.0.0.1]:5", &["198.51.100.1"][..], "198.51.100.1:0"),
            (
                "10.0.0.1:5",
                &["127.0.0.1, 198.51.100.1, 10.0.0.2"][..],
                "198.51.100.1:0",
            ),
            (
                "10.0.0.1:5",
                &["127.0.0.1", "198.51.100.1:4711", "10.0.0.2"][..],
                "198.51.100.1:4711",
            ),
            ("10.0.0.1:5", &["127.0.0.1, unknown, 10.0.0.2"][..], "10.0.0.2:0"),
            ("10.0.0.1:5", &["198.51.100.1, "][..], "10.0.0.1:5"),
            ("[fd00::1]:5", &["2001:db8::7"][..], "[2001:db8::7]:0"),
            ("10.0.0.1:5", &["10.0.0.3, 10.0.0.2"][..], "10.0.0.3:0"),
        ] {
            assert_eq!(visitor(X, peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn forwarded_is_read_with_its_quotes() {
        use ChainHeader::Forwarded as F;
        for (lines, expected) in [
            (&["for=198.51.100.1;proto=https"][..], "198.51.100.1:0"),
            (
                &["For=\"[2001:db8::7]:4711\";by=10.0.0.1, for=10.0.0.2"][..],
                "[2001:db8::7]:4711",
            ),
            (&["for=1.2.3.4, for=\"a,for=5.6.7.8\""][..], "10.0.0.1:5"),
            (&["for=198.51.100.1, proto=http"][..], "10.0.0.1:5"),
            (&["for=_hidden"][..], "10.0.0.1:5"),
        ] {
            assert_eq!(visitor(F, "10.0.0.1:5", lines), expected, "{lines:?}");
        }
    }

    fn told(chain: ChainHeader, peer: &str, lines: &[(&'static str, &'static str)]) -> Vec<(String, String)> {
        let mut headers: HeaderMap = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let arrival = trust(chain).arrival(peer.parse().expect("an address"), &headers);
        arrival.tell(&mut headers, Some(&HeaderValue::from_static("example.org")));
        let mut told: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
            .collect();
        told.sort();
        told
    }

    fn expected(lines: [(&str, &str); 4]) -> Vec<(String, String)> {
        lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    #[test]
    fn an_untrusted_peer_tells_nothing_about_itself() {
        let lies = [
            ("forwarded", "for=127.0.0.1"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("x-real-ip", "127.0.0.1"),
        ];
        assert_eq!(
            told(ChainHeader::XForwardedFor, "192.0.2.9:5", &lies),
            expected([
                ("forwarded", "for=192.0.2.9;host=\"example.org\";proto=http"),
                ("x-forwarded-for", "192.0.2.9"),
                ("x-forwarded-host", "example.org"),
                ("x-forwarded-proto", "http"),
            ])
        );
    }

    #[test]
    fn a_trusted_chain_is_continued_and_the_other_header_written_anew() {
        let said = [
            ("forwarded", "for=127.0.0.1"),
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-host", "www.example.org"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(
            told(ChainHeader::XForwardedFor, "10.0.0.1:5", &said),
            expected([
                (
                    "forwarded",
                    "for=198.51.100.1;host=\"www.example.org\";proto=https"
                ),
                ("x-forwarded-for", "198.51.100.1, 10.0.0.1"),
                ("x-forwarded-host", "www.example.org"),
                ("x-forwarded-proto", "https"),
            ])
        );
        assert_eq!(
            told(
                ChainHeader::Forwarded,
                "[fd00::1]:5",
                &[("forwarded", "for=\"[2001:db8::7]\"")]
            ),
            expected([
                (
                    "forwarded",
                    "for=\"[2001:db8::7]\", for=\"[fd00::1]\";host=\"example.org\";proto=http"
                ),
                ("x-forwarded-for", "2001:db8::7"),
                ("x-forwarded-host", "example.org"),
                ("x-forwarded-proto", "http"),
            ])
        );
    }

    #[test]
    fn a_host_cannot_begin_an_element_of_its_own() {
        let host = HeaderValue::from_static("a\", for=127.0.0.1");
        assert_eq!(
            forwarded_element(IpAddr::from([192, 0, 2, 1]), "http", Some(&host)),
            "for=192.0.2.1;proto=http"
        );
    }
}
