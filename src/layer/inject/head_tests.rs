use super::*;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).expect("a header value"));
    }
    headers
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("is text")))
        .collect();
    lines.sort();
    lines
}

#[test]
fn what_no_longer_fits_the_body_goes() {
    let mut head = headers(&[
        ("accept-ranges", "bytes"),
        ("age", "3"),
        ("cache-control", "public, max-age=600, s-maxage=900"),
        ("cdn-cache-control", "max-age=900"),
        ("cloudflare-cdn-cache-control", "max-age=900"),
        ("content-digest", "sha-256=:AAAA:"),
        ("content-length", "123"),
        ("content-md5", "AAAA"),
        ("content-type", "text/html"),
        ("digest", "sha-256=AAAA"),
        ("etag", "\"x\""),
        ("expires", "Thu, 01 Jan 2037 00:00:00 GMT"),
        ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("repr-digest", "sha-256=:AAAA:"),
        ("surrogate-control", "max-age=900"),
        ("vary", "cookie"),
    ]);
    Variant::new("1").rewrite_head(&mut head);
    let expected = [
        "age: 3",
        "cache-control: private, no-cache",
        "content-type: text/html",
        "etag: W/\"x-fb-1\"",
        "vary: cookie",
    ];
    assert_eq!(lines(&head), expected);
}

#[test]
fn caching_never_becomes_looser() {
    for (before, after) in [
        (&["no-store"][..], "private, no-cache, no-store"),
        (&["max-age=0", "private, No-Store"], "private, no-cache, no-store"),
        (&["private=\"x, no-store\""], "private, no-cache"),
        (&[], "private, no-cache"),
    ] {
        let lines: Vec<_> = before.iter().map(|value| ("cache-control", *value)).collect();
        let mut head = headers(&lines);
        Variant::new("1").rewrite_head(&mut head);
        let values: Vec<_> = head.get_all(CACHE_CONTROL).iter().collect();
        assert_eq!(values, [after], "{before:?}");
    }
}

#[test]
fn every_tag_comes_back_as_it_went() {
    let variant = Variant::new("a1.2 \"b\"");
    for tag in ["\"x\"", "W/\"x\"", "\"\"", "\"a-fb-c\"", "W/\"w\"", "\"a, b\""] {
        let mut response = headers(&[("etag", tag)]);
        variant.rewrite_head(&mut response);
        let sent = response
            .get(ETAG)
            .expect("has a tag")
            .to_str()
            .expect("is text")
            .to_owned();
        assert!(sent.starts_with("W/") && sent.ends_with("a1.2b\""), "{sent}");
        let mut request = headers(&[("if-none-match", &sent)]);
        assert!(variant.restore_validators(&mut request), "{sent}");
        assert_eq!(lines(&request), [format!("if-none-match: {tag}")]);
    }
}

#[test]
fn what_is_no_tag_goes() {
    for tag in ["x", "W/x", "\"x", "\""] {
        let mut response = headers(&[("etag", tag)]);
        Variant::new("1").rewrite_head(&mut response);
        assert_eq!(response.get(ETAG), None, "{tag}");
    }
}

#[test]
fn a_304_speaks_of_the_copy_that_the_browser_has() {
    let table: [(&[&str], bool, &[&str]); 7] = [
        (&["\"x\""], false, &["\"x\""]),
        (&["\"x\", W/\"y\"", "\"z\""], false, &["\"x\", W/\"y\"", "\"z\""]),
        (&["*"], false, &["*"]),
        (&["W/\"x-fb-old\""], false, &[]),
        (&["W/\"x-fb-old\", \"y\""], false, &["\"y\""]),
        (&["W/\"x-fb-1\""], true, &["\"x\""]),
        (
            &["\"y\", W/\"x-fb-1\"", "W/\"z-fbw-1\""],
            true,
            &["\"x\", W/\"z\""],
        ),
    ];
    for (before, mapped, after) in table {
        let values: Vec<_> = before.iter().map(|value| ("if-none-match", *value)).collect();
        let mut request = headers(&values);
        assert_eq!(
            Variant::new("1").restore_validators(&mut request),
            mapped,
            "{before:?}"
        );
        assert_eq!(
            request.get_all(IF_NONE_MATCH).iter().collect::<Vec<_>>(),
            after,
            "{before:?}"
        );
    }
}

#[test]
fn preloads_of_carried_images_wait() {
    let page = Url::parse("https://site.example/blog/post").expect("a URL");
    let carried = Carried::new([("/blog/a.jpg", "image/jpeg"), ("/b,c.jpg?x=1", "image/jpeg")]);
    let table: [(&[&str], &[&str]); 8] = [
        (&["<a.jpg>; rel=preload; as=image"], &[]),
        (
            &["</b,c.jpg?x=1>;as=\"image\" ; REL=\"Preload\"; title=\"a, b; \\\"c\""],
            &[],
        ),
        (
            &["<other.jpg>; rel=preload; as=image"],
            &["<other.jpg>; rel=preload; as=image"],
        ),
        (
            &["<a.jpg>; rel=preload; as=fetch"],
            &["<a.jpg>; rel=preload; as=fetch"],
        ),
        (&["<a.jpg>; rel=next"], &["<a.jpg>; rel=next"]),
        (
            &["</s.css>; rel=preload; as=style, <a.jpg>; rel=preload; as=image"],
            &["</s.css>; rel=preload; as=style"],
        ),
        (
            &["<a.jpg>; rel=preload; as=image", "<x>; rel=next,  <y>; rel=prev"],
            &["<x>; rel=next,  <y>; rel=prev"],
        ),
        (
            &["<a.jpg; rel=preload; as=image", "nonsense", ""],
            &["<a.jpg; rel=preload; as=image", "nonsense", ""],
        ),
    ];
    for (before, after) in table {
        let values: Vec<_> = before.iter().map(|value| ("link", *value)).collect();
        let mut head = headers(&values);
        release_links(&mut head, &page, &carried);
        assert_eq!(head.get_all(LINK).iter().collect::<Vec<_>>(), after, "{before:?}");
    }
}
