//! What the origin is told, and what the visitor: everything but what belongs to one connection.

use http::{Request, StatusCode};
use tower_flashback::proxy::config::{ChainHeader, HostPolicy};

use crate::harness::{Proxy, client_h2, header, patient, recorder, scripted};

#[tokio::test]
async fn hop_by_hop_headers_end_at_the_proxy() {
    let (origin, seen) = recorder().await;
    let proxy = Proxy::before(origin).await;
    proxy
        .say(
            "GET /a?b=%20c HTTP/1.1\r\nHost: site.example\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\
             Proxy-Connection: close\r\nProxy-Authorization: Basic eDp5\r\nTE: gzip\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAA\r\nX-End: 1\r\nX-End: 2\r\n\r\n",
        )
        .await;
    let head = seen.lock().unwrap().pop().unwrap();
    assert!(head.starts_with("GET /a?b=%20c HTTP/1.1\r\n"), "{head}");
    for gone in [
        "x-hop",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "upgrade",
        "connection",
    ] {
        assert_eq!(header(&head, gone), None, "{gone} in {head}");
    }
    assert!(head.contains("x-end: 1\r\nx-end: 2\r\n"), "{head}");
}

#[tokio::test]
async fn hop_by_hop_headers_of_the_origin_end_too() {
    let origin = scripted(|_, mut connection| async move {
        connection.until("\r\n\r\n").await;
        let head = "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n\
                    Proxy-Authenticate: Basic\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nServer: x\r\nContent-Length: 0";
        connection.write(&format!("{head}\r\n\r\n")).await;
    })
    .await;
    let proxy = Proxy::before(origin).await;
    let answer = proxy
        .say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    for gone in ["x-hop", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert_eq!(header(&answer, gone), None, "{gone} in {answer}");
    }
    assert!(
        answer.contains("set-cookie: a=1\r\nset-cookie: b=2\r\n"),
        "{answer}"
    );
    assert_eq!(header(&answer, "server"), Some("x"), "{answer}");
}

#[tokio::test]
async fn an_untrusted_visitor_cannot_choose_its_address() {
    let (origin, seen) = recorder().await;
    let proxy = Proxy::before(origin).await;
    proxy
        .say(
            "GET / HTTP/1.1\r\nHost: site.example\r\nConnection: close, x-forwarded-for, forwarded\r\n\
             X-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\n\
             X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n\r\n",
        )
        .await;
    let head = seen.lock().unwrap().pop().unwrap();
    assert_eq!(header(&head, "x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(
        header(&head, "forwarded"),
        Some("for=127.0.0.1;host=\"site.example\";proto=http")
    );
    assert_eq!(header(&head, "x-forwarded-proto"), Some("http"));
    assert_eq!(header(&head, "x-forwarded-host"), Some("site.example"));
    assert_eq!(header(&head, "x-real-ip"), None);
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_in_its_one_header() {
    for (chain, expected_for, expected_forwarded) in [
        (
            ChainHeader::XForwardedFor,
            "198.51.100.1, 127.0.0.1",
            "for=198.51.100.1;host=\"www.example\";proto=https",
        ),
        (
            ChainHeader::Forwarded,
            "203.0.113.9",
            "for=203.0.113.9, for=127.0.0.1;host=\"www.example\";proto=https",
        ),
    ] {
        let (origin, seen) = recorder().await;
        let proxy = Proxy::with(origin, |config| {
            config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
            config.server.chain = chain;
        })
        .await;
        proxy
            .say(
                "GET / HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\nX-Forwarded-For: 198.51.100.1\r\n\
                 Forwarded: for=203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example\r\n\r\n",
            )
            .await;
        let head = seen.lock().unwrap().pop().unwrap();
        assert_eq!(header(&head, "x-forwarded-for"), Some(expected_for), "{head}");
        assert_eq!(header(&head, "forwarded"), Some(expected_forwarded), "{head}");
        assert_eq!(header(&head, "x-forwarded-proto"), Some("https"), "{head}");
        assert_eq!(header(&head, "host"), Some("site.example"), "{head}");
    }
}

#[tokio::test]
async fn the_origin_is_asked_under_the_name_that_the_settings_say() {
    for policy in [HostPolicy::Keep, HostPolicy::Upstream] {
        let (origin, seen) = recorder().await;
        let proxy = Proxy::with(origin, |config| config.origin.host = policy).await;
        proxy
            .say("GET / HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n")
            .await;
        let head = seen.lock().unwrap().pop().unwrap();
        let own = origin.to_string();
        let expected = if policy == HostPolicy::Keep {
            "site.example"
        } else {
            &own
        };
        assert_eq!(header(&head, "host"), Some(expected), "{head}");
        assert_eq!(header(&head, "x-forwarded-host"), Some("site.example"), "{head}");
    }
}

#[tokio::test]
async fn only_hosts_that_are_served_reach_the_origin() {
    let (origin, seen) = recorder().await;
    let proxy = Proxy::with(origin, |config| {
        config.server.hosts = vec!["*.site.example".parse().unwrap()]
    })
    .await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: www.site.example", "200"),
        ("GET / HTTP/1.1\r\nHost: evil.example", "421"),
        (
            "GET http://evil.example/ HTTP/1.1\r\nHost: www.site.example",
            "421",
        ),
        (
            "CONNECT www.site.example:443 HTTP/1.1\r\nHost: www.site.example:443",
            "405",
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: www.site.example", "400"),
    ] {
        let answer = proxy
            .say(&format!("{request}\r\nConnection: close\r\n\r\n"))
            .await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}: {answer}"
        );
    }
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn http_2_becomes_http_1_1_with_its_authority_and_one_cookie() {
    let (origin, seen) = recorder().await;
    let proxy = Proxy::before(origin).await;
    // A browser cuts its cookies into several lines in HTTP/2; HTTP/1.1 knows one (RFC 9113 §8.2.3).
    let request = Request::get(proxy.url("/a?b"))
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("te", "trailers");
    let answer = patient(client_h2().request(request.body(axum::body::Body::empty()).unwrap()))
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let head = seen.lock().unwrap().pop().unwrap();
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head}");
    assert_eq!(
        header(&head, "host"),
        Some(proxy.address.to_string().as_str()),
        "{head}"
    );
    assert_eq!(header(&head, "cookie"), Some("a=1; b=2"), "{head}");
    assert_eq!(header(&head, "te"), Some("trailers"), "{head}");
}
