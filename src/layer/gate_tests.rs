use http::{Request, Response};

use super::*;

fn request(method: Method, headers: Lines<'_>) -> Result<(), Passed> {
    let mut request = Request::builder().method(method).uri("/page");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    may_carry_request(&request.body(()).expect("a request").into_parts().0)
}

fn response(status: u16, headers: Lines<'_>) -> Result<Injection, Passed> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let page = Url::parse("https://site.example/page").expect("a URL");
    may_inject(&response.body(()).expect("a response").into_parts().0, &page)
}

type Lines<'a> = &'a [(&'static str, &'a str)];

const DOCUMENT: (&str, &str) = ("sec-fetch-dest", "document");
const HTML: (&str, &str) = ("content-type", "text/html");

#[test]
fn only_navigations_are_carried() {
    let accept = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    let table: [(Lines<'_>, Result<(), Passed>); 19] = [
        (&[DOCUMENT], Ok(())),
        (&[DOCUMENT, ("accept", "*/*")], Ok(())),
        (&[DOCUMENT, ("x-requested-with", "com.example.webview")], Ok(())),
        (&[DOCUMENT, ("sec-purpose", "prefetch;prerender")], Ok(())),
        (&[("sec-fetch-dest", "empty"), accept], Err(Passed::NotNavigation)),
        (
            &[("sec-fetch-dest", "iframe"), accept],
            Err(Passed::NotNavigation),
        ),
        (&[accept], Ok(())),
        (&[("accept", "Text/HTML ;level=1")], Ok(())),
        (&[("accept", "*/*")], Err(Passed::NotNavigation)),
        (&[], Err(Passed::NotNavigation)),
        (&[accept, ("hx-request", "true")], Err(Passed::NotNavigation)),
        (
            &[accept, ("x-requested-with", "XMLHttpRequest")],
            Err(Passed::NotNavigation),
        ),
        (&[accept, ("turbo-frame", "comments")], Err(Passed::NotNavigation)),
        (&[accept, ("x-pjax", "true")], Err(Passed::NotNavigation)),
        (&[DOCUMENT, ("range", "bytes=0-99")], Err(Passed::Range)),
        (&[DOCUMENT, ("save-data", "on")], Err(Passed::SaveData)),
        (&[DOCUMENT, ("save-data", "off")], Ok(())),
        (&[DOCUMENT, ("sec-gpc", "1")], Err(Passed::PrivacyControl)),
        (&[DOCUMENT, ("sec-gpc", "0")], Ok(())),
    ];
    for (headers, expected) in table {
        assert_eq!(request(Method::GET, headers), expected, "{headers:?}");
    }
    for method in [Method::HEAD, Method::POST, Method::OPTIONS] {
        assert_eq!(request(method, &[DOCUMENT]), Err(Passed::Method));
    }
}

#[test]
fn crawlers_are_not_enlisted() {
    let table = [
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            true,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; CUBOT_X30) AppleWebKit/537.36 Chrome/120.0.0.0 Mobile Safari/537.36",
            true,
        ),
        ("Mozilla/5.0 (Linux; Android 10; Bottle) Firefox/140.0", true),
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            false,
        ),
        ("Mozilla/5.0 (compatible; bingbot/2.0)", false),
        ("AdsBot-Google (+http://www.google.com/adsbot.html)", false),
        ("facebookexternalhit/1.1", false),
        ("Mozilla/5.0 (compatible; Baiduspider/2.0)", false),
        ("Mozilla/5.0 (compatible; Yahoo! Slurp)", false),
    ];
    for (agent, person) in table {
        let expected = if person { Ok(()) } else { Err(Passed::Bot) };
        assert_eq!(
            request(Method::GET, &[DOCUMENT, ("user-agent", agent)]),
            expected,
            "{agent}"
        );
    }
}

#[test]
fn only_whole_html_pages_are_touched() {
    let table: [(u16, Lines<'_>, Option<Passed>); 28] = [
        (200, &[HTML], None),
        (200, &[("content-type", "Text/HTML; Charset=\"UTF-8\"")], None),
        (200, &[("content-type", "text/html;charset=windows-1251")], None),
        (200, &[("content-type", "text/html;charset=no-such-thing")], None),
        (
            200,
            &[("content-type", "text/html;charset=utf-16le")],
            Some(Passed::Charset),
        ),
        (
            200,
            &[("content-type", "text/html; charset=ISO-2022-JP")],
            Some(Passed::Charset),
        ),
        (
            200,
            &[("content-type", "text/html-fragment")],
            Some(Passed::ContentType),
        ),
        (
            200,
            &[("content-type", "application/xhtml+xml")],
            Some(Passed::ContentType),
        ),
        (
            200,
            &[("content-type", "text/plain; x=text/html")],
            Some(Passed::ContentType),
        ),
        (200, &[], Some(Passed::ContentType)),
        (
            200,
            &[HTML, ("content-type", "text/plain")],
            Some(Passed::ContentType),
        ),
        (201, &[HTML], Some(Passed::Status)),
        (204, &[HTML], Some(Passed::Status)),
        (206, &[HTML], Some(Passed::Status)),
        (304, &[HTML], Some(Passed::Status)),
        (404, &[HTML], Some(Passed::Status)),
        (200, &[HTML, ("content-encoding", "identity")], None),
        (
            200,
            &[HTML, ("content-encoding", "gzip")],
            Some(Passed::ContentEncoding),
        ),
        (200, &[HTML, ("cache-control", "private, no-store")], None),
        (
            200,
            &[HTML, ("cache-control", "max-age=60,No-Transform")],
            Some(Passed::NoTransform),
        ),
        (
            200,
            &[
                HTML,
                ("cache-control", "max-age=60"),
                ("cache-control", "no-transform"),
            ],
            Some(Passed::NoTransform),
        ),
        (
            200,
            &[HTML, ("content-disposition", "inline; filename=a.html")],
            None,
        ),
        (
            200,
            &[HTML, ("content-disposition", "Attachment; filename=a.html")],
            Some(Passed::Attachment),
        ),
        (
            200,
            &[HTML, ("content-disposition", "filename=a.html")],
            Some(Passed::Attachment),
        ),
        (
            200,
            &[HTML, ("content-security-policy", "default-src 'self'")],
            None,
        ),
        (
            200,
            &[HTML, ("content-security-policy", "script-src 'none'")],
            Some(Passed::Policy(Refusal::Script)),
        ),
        (
            200,
            &[HTML, ("content-security-policy", "worker-src 'none'")],
            Some(Passed::PolicyWorker),
        ),
        (200, &[HTML, ("set-cookie", "session=1")], None),
    ];
    for (status, headers, expected) in table {
        assert_eq!(response(status, headers).err(), expected, "{status} {headers:?}");
    }
}

#[test]
fn what_the_injection_needs_is_told() {
    let injection = response(
        200,
        &[
            ("content-type", "text/html; charset=latin1"),
            (
                "content-security-policy",
                "script-src 'nonce-a' 'strict-dynamic'; style-src 'self'",
            ),
        ],
    )
    .expect("may be injected");
    assert_eq!(
        injection.encoding.map(<&Encoding>::from),
        Some(encoding_rs::WINDOWS_1252)
    );
    assert_eq!(injection.script.nonce.as_ref().map(csp::Nonce::as_str), Some("a"));
    assert_eq!(injection.style, None);
}
