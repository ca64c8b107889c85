use http::HeaderValue;

use super::*;

/// Verdict of the policies in words: `nonce <script's> · no worker · no style`, or the refusal.
fn verdict(policies: &[&str]) -> String {
    let mut headers = HeaderMap::new();
    for policy in policies {
        headers.append(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_str(policy).expect("a header value"),
        );
    }
    let page = Url::parse("https://site.example/a/page?x=1").expect("a URL");
    match judge(&headers, &page) {
        Err(refusal) => format!("{refusal:?}"),
        Ok(Verdict {
            script,
            worker,
            style,
        }) => {
            let nonce = |allowed: Allowed| {
                allowed
                    .nonce
                    .map_or("plain".to_owned(), |n| n.as_str().to_owned())
            };
            let worker = if worker { "" } else { " · no worker" };
            let style = style.map_or("forbidden".to_owned(), nonce);
            format!("script {} · style {style}{worker}", nonce(script))
        }
    }
}

#[test]
fn single_policies() {
    let table = [
        ("", "script plain · style plain"),
        ("img-src 'none'; object-src 'none'", "script plain · style plain"),
        ("default-src 'self'", "script plain · style forbidden"),
        ("default-src 'self' 'unsafe-inline'", "script plain · style plain"),
        ("DEFAULT-SRC 'SELF' 'Unsafe-Inline'", "script plain · style plain"),
        ("default-src 'none'", "Connect"),
        ("default-src 'none'; connect-src 'self'", "Script"),
        (
            "default-src 'none'; connect-src 'self'; script-src 'self'",
            "script plain · style forbidden",
        ),
        ("script-src 'none'", "Script"),
        ("script-src", "Script"),
        (
            "script-src 'self'; script-src 'none'",
            "script plain · style plain",
        ),
        (
            "script-src 'none'; script-src-elem 'self'",
            "script plain · style plain · no worker",
        ),
        ("script-src https:", "script plain · style plain"),
        ("script-src http:", "script plain · style plain"),
        ("script-src data: blob:", "Script"),
        ("script-src *", "script plain · style plain"),
        ("script-src site.example", "script plain · style plain"),
        ("script-src https://site.example", "script plain · style plain"),
        (
            "script-src https://site.example:443",
            "script plain · style plain",
        ),
        ("script-src http://site.example:80", "script plain · style plain"),
        ("script-src https://site.example:8443", "Script"),
        ("script-src https://site.example:*", "script plain · style plain"),
        ("script-src *.example", "script plain · style plain"),
        ("script-src *.site.example", "Script"),
        ("script-src *ite.example", "Script"),
        ("script-src evilsite.example", "Script"),
        ("script-src https://site.example/js/", "Script"),
        (
            "script-src https://site.example/.flashback/",
            "script plain · style plain",
        ),
        (
            "script-src https://site.example/.flashback/client.js",
            "script plain · style plain · no worker",
        ),
        ("script-src https://site.example/.flashback", "Script"),
        ("script-src 'nonce-abc'", "script abc · style plain · no worker"),
        ("script-src 'nonce-abc' 'self'", "script plain · style plain"),
        ("script-src 'NONCE-aBc='", "script aBc= · style plain · no worker"),
        ("script-src 'nonce-\"><script>'", "Script"),
        ("script-src 'nonce-'", "Script"),
        ("script-src 'nonce-a==='", "Script"),
        (
            "script-src 'nonce-abc' 'strict-dynamic' https: 'unsafe-inline'",
            "script abc · style plain",
        ),
        ("script-src 'self' 'strict-dynamic'", "Script"),
        ("script-src 'sha256-AAAA'", "Script"),
        ("script-src 'sha256-AAAA' 'strict-dynamic'", "Script"),
        ("worker-src 'none'", "script plain · style plain · no worker"),
        ("worker-src blob:", "script plain · style plain · no worker"),
        ("child-src 'none'", "script plain · style plain · no worker"),
        (
            "child-src 'none'; worker-src 'self'",
            "script plain · style plain",
        ),
        ("connect-src 'none'", "Connect"),
        ("connect-src 'self'", "script plain · style plain"),
        ("connect-src *", "script plain · style plain"),
        ("connect-src site.example", "script plain · style plain"),
        ("connect-src https:", "Connect"),
        ("connect-src https: wss:", "script plain · style plain"),
        ("connect-src https: ws:", "script plain · style plain"),
        (
            "connect-src http://site.example ws://site.example",
            "script plain · style plain",
        ),
        ("connect-src wss://site.example", "script plain · style plain"),
        ("connect-src https://api.example", "Connect"),
        ("style-src 'self'", "script plain · style forbidden"),
        ("style-src 'nonce-s'", "script plain · style s"),
        ("style-src 'unsafe-inline' 'nonce-s'", "script plain · style s"),
        (
            "style-src 'unsafe-inline' 'sha256-AAAA'",
            "script plain · style forbidden",
        ),
        (
            "style-src 'none'; style-src-elem 'unsafe-inline'",
            "script plain · style plain",
        ),
        ("webrtc 'block'", "WebRtc"),
        ("webrtc 'allow'", "script plain · style plain"),
        ("sandbox", "Sandbox"),
        ("sandbox allow-scripts", "Sandbox"),
        (
            "sandbox allow-scripts allow-same-origin",
            "script plain · style plain",
        ),
        ("require-trusted-types-for 'script'", "TrustedTypes"),
        ("require-sri-for script style", "Integrity"),
        (
            "upgrade-insecure-requests; report-uri /csp",
            "script plain · style plain",
        ),
    ];
    for (policy, expected) in table {
        assert_eq!(verdict(&[policy]), expected, "{policy}");
    }
}

#[test]
fn all_policies_count_whether_joined_or_apart() {
    let table = [
        (["script-src 'self'", "script-src 'none'"], "Script"),
        (
            ["script-src 'nonce-a' 'nonce-b'", "script-src 'nonce-b'"],
            "script b · style plain · no worker",
        ),
        (["script-src 'nonce-a'", "script-src 'nonce-b'"], "Script"),
        (
            ["script-src 'nonce-a'; worker-src 'self'", "script-src 'self'"],
            "script a · style plain",
        ),
        (
            ["style-src 'unsafe-inline'", "style-src 'nonce-s'"],
            "script plain · style s",
        ),
    ];
    for (policies, expected) in table {
        assert_eq!(verdict(&policies), expected, "{policies:?}");
        assert_eq!(verdict(&[&policies.join(", ")]), expected, "{policies:?} joined");
    }
}

#[test]
fn report_only_decides_nothing() {
    let mut headers = HeaderMap::new();
    headers.insert(
        "content-security-policy-report-only",
        HeaderValue::from_static("default-src 'none'"),
    );
    let page = Url::parse("https://site.example/").expect("a URL");
    assert_eq!(judge(&headers, &page), Ok(Verdict::default()));
}

#[test]
fn integrity_policy_refuses_a_script_without_integrity() {
    let mut headers = HeaderMap::new();
    headers.insert(
        "integrity-policy",
        HeaderValue::from_static("blocked-destinations=(script)"),
    );
    let page = Url::parse("https://site.example/").expect("a URL");
    assert_eq!(judge(&headers, &page), Err(Refusal::Integrity));
}

#[test]
fn a_port_in_the_page_is_part_of_it() {
    let page = Url::parse("http://127.0.0.1:8080/").expect("a URL");
    for (list, fits) in [
        ("script-src 127.0.0.1:8080", true),
        ("script-src http://127.0.0.1:8080", true),
        ("script-src 127.0.0.1", false),
        ("script-src https://127.0.0.1:8080", false),
        ("connect-src 'self'", true),
        ("connect-src ws://127.0.0.1:8080 http://127.0.0.1:8080", true),
    ] {
        assert_eq!(judge_list(list, &page).is_ok(), fits, "{list}");
    }
}

#[test]
fn our_paths_stand_under_the_reserved_prefix() {
    for path in [CLIENT, WORKER, SIGNAL, OBJECT] {
        assert!(path.starts_with(crate::layer::PREFIX), "{path}");
    }
}
