//! Headers that belong to one connection and end at a proxy (RFC 9110 §7.6.1). It only removes and restores names; the
//! framing that they described is done anew by hyper on the other side.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CONNECTION, CONTENT_LENGTH, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
    },
};

/// Removes them from a request; whether the visitor takes trailers is said anew.
pub(super) fn strip_request(headers: &mut HeaderMap) {
    let takes_trailers = takes_trailers(headers);
    strip(headers);
    headers.remove(PROXY_AUTHORIZATION);
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

/// Removes them from a response. `Trailer` stays: it is end-to-end, and hyper sends only the trailers that it names.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    strip(headers);
    headers.remove(PROXY_AUTHENTICATE);
}

/// Whether `Connection` holds a token.
pub(super) fn connection_has(headers: &HeaderMap, token: &str) -> bool {
    tokens(headers, CONNECTION).any(|found| found.eq_ignore_ascii_case(token))
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    tokens(headers, TE).any(|coding| coding.eq_ignore_ascii_case("trailers"))
}

fn strip(headers: &mut HeaderMap) {
    // Content-Length beside Transfer-Encoding is how one request is smuggled in another: the length is the one to go.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    let named: Vec<HeaderName> = tokens(headers, CONNECTION)
        .filter_map(|name| name.parse().ok())
        .filter(|name| !NEVER_HOP.contains(name))
        .collect();
    for name in named.iter().chain(&ALWAYS_HOP) {
        headers.remove(name);
    }
}

fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

const ALWAYS_HOP: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A visitor who names these in `Connection` wants them lost on the way to the origin: without `Host` or the length the
/// request would become another one, and without its credentials or conditions it would be answered for somebody else.
const NEVER_HOP: [HeaderName; 7] = [
    http::header::AUTHORIZATION,
    http::header::CACHE_CONTROL,
    CONTENT_LENGTH,
    http::header::CONTENT_TYPE,
    http::header::COOKIE,
    http::header::HOST,
    http::header::RANGE,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn what_belongs_to_the_connection_ends_here() {
        let mut request = headers(&[
            ("connection", "close, X-One,, te"),
            ("connection", "x-two"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eDp5"),
            ("te", "gzip;q=0.5, trailers"),
            ("upgrade", "h2c"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
        ]);
        strip_request(&mut request);
        assert_eq!(
            request,
            headers(&[("x-three", "3"), ("te", "trailers"), ("connection", "te")])
        );
    }

    #[test]
    fn a_visitor_cannot_have_headers_lost_that_the_answer_depends_on() {
        let mut request = headers(&[
            (
                "connection",
                "host, cookie, content-length, authorization, accept",
            ),
            ("host", "example.org"),
            ("cookie", "a=b"),
            ("content-length", "5"),
            ("authorization", "Basic eDp5"),
            ("accept", "text/html"),
        ]);
        strip_request(&mut request);
        assert_eq!(
            request,
            headers(&[
                ("host", "example.org"),
                ("cookie", "a=b"),
                ("content-length", "5"),
                ("authorization", "Basic eDp5"),
            ])
        );
    }

    #[test]
    fn a_response_keeps_the_names_of_its_trailers() {
        let mut response = headers(&[
            ("trailer", "x-sum"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2"),
        ]);
        strip_response(&mut response);
        assert_eq!(response, headers(&[("trailer", "x-sum")]));
    }
}
