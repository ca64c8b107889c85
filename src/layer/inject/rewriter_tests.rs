//! Pages in `tests/fixtures/html/`: `x.html` becomes `x.expected.html` and refers to what `x.references` lists, however its
//! bytes are cut; and hostile pages that are easier to build than to store.

use std::{fs, path::Path};

use encoding_rs::{UTF_8, WINDOWS_1251};
use proptest::prelude::*;

use super::*;

const SNIPPET: &str = "[snippet]";

fn plan(charset: Option<&'static Encoding>) -> Plan {
    let carried = Carried::new([
        ("/img/a.jpg", "image/jpeg"),
        ("/blog/b.png", "image/png"),
        ("/find?q=a&b=1", "image/webp"),
        ("/film.mp4", "video/mp4"),
        ("/song.mp3", "Audio/MPEG"),
    ]);
    Plan {
        snippet: SNIPPET.into(),
        page: "https://site.example/blog/post".parse().expect("a URL"),
        carried: Some(Arc::new(carried)),
        encoding: charset.and_then(AsciiCompatibleEncoding::new),
    }
}

fn rewrite_chunks<'a>(plan: Plan, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Outcome) {
    let (mut rewriter, mut out) = (Rewriter::new(plan), Vec::new());
    for chunk in chunks {
        rewriter.write(chunk, &mut out);
    }
    let outcome = rewriter.end(&mut out);
    (out, outcome)
}

/// The same, however the page is cut in two, and byte by byte.
fn rewrite_all_ways(page: &[u8], charset: Option<&'static Encoding>) -> (Vec<u8>, Outcome) {
    let whole = rewrite_chunks(plan(charset), [page]);
    for at in 0..=page.len() {
        let (head, tail) = page.split_at(at);
        assert_eq!(
            rewrite_chunks(plan(charset), [head, tail]),
            whole,
            "cut at {at} of {}",
            page.escape_ascii()
        );
    }
    assert_eq!(
        rewrite_chunks(plan(charset), page.chunks(1)),
        whole,
        "byte by byte"
    );
    whole
}

struct Fixture {
    name: String,
    page: Vec<u8>,
    expected: Vec<u8>,
    references: Vec<String>,
}

fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/html");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("the fixtures are there")
        .map(|entry| {
            entry
                .expect("is readable")
                .file_name()
                .into_string()
                .expect("is text")
        })
        .filter_map(|name| name.strip_suffix(".expected.html").map(str::to_owned))
        .collect();
    names.sort();
    let read = |name: &str, kind: &str| fs::read(folder.join(format!("{name}.{kind}")));
    let fixture = |name: String| {
        let references = read(&name, "references").unwrap_or_default();
        Fixture {
            page: read(&name, "html").expect("a page"),
            expected: read(&name, "expected.html").expect("what it becomes"),
            references: String::from_utf8(references)
                .expect("is text")
                .lines()
                .map(str::to_owned)
                .collect(),
            name,
        }
    };
    names.into_iter().map(fixture).collect()
}

#[test]
fn fixtures_become_what_is_expected() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 9, "the fixtures are there");
    for Fixture {
        name,
        page,
        expected,
        references,
    } in fixtures
    {
        let (out, outcome) = rewrite_all_ways(&page, Some(UTF_8));
        assert_eq!(
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(&expected),
            "{name}"
        );
        assert_eq!(outcome.references, references, "{name}");
        let fault = (name == "twice").then_some(Fault::Twice);
        assert_eq!(
            (outcome.injected, outcome.fault),
            (fault.is_none(), fault),
            "{name}"
        );
    }
}

#[test]
fn without_a_hold_only_the_snippet_is_added() {
    for Fixture {
        name,
        page,
        references,
        ..
    } in fixtures()
    {
        let (out, outcome) = rewrite_chunks(
            Plan {
                carried: None,
                ..plan(Some(UTF_8))
            },
            [&page[..]],
        );
        let without = String::from_utf8(out).expect("is text").replacen(SNIPPET, "", 1);
        assert_eq!(without.as_bytes(), page, "{name}");
        assert_eq!(outcome.references, references, "{name}");
    }
}

#[test]
fn without_a_snippet_the_page_is_only_read() {
    for charset in [None, Some(UTF_8)] {
        for Fixture {
            name,
            page,
            references,
            ..
        } in fixtures()
        {
            let (out, outcome) = rewrite_chunks(
                Plan {
                    snippet: Bytes::new(),
                    ..plan(charset)
                },
                [&page[..]],
            );
            assert_eq!(out, page, "{name}");
            assert_eq!(outcome.references, references, "{name}");
            assert!(!outcome.injected, "{name}");
        }
    }
}

#[test]
fn bytes_of_any_encoding_stay() {
    for page in [
        &b"\xef\xbb\xbf<!doctype html><head><p>x"[..],
        b"<html><head><title>caf\xe9 \xff\xfe</title><p class='\xe9'>\0\x80<b",
        b"<head>\r\n\0\0<p \0=\0>\x00</p\xc3>",
    ] {
        let (out, outcome) = rewrite_all_ways(page, Some(UTF_8));
        let at = page.windows(6).position(|w| w == b"<head>").expect("has a head") + 6;
        assert_eq!(out, [&page[..at], SNIPPET.as_bytes(), &page[at..]].concat());
        assert!(outcome.injected);
    }
    let held = b"<head><img src=/img/a.jpg alt='caf\xe9'>";
    let (out, _) = rewrite_all_ways(held, Some(UTF_8));
    let expected =
        b"<head>[snippet]<img src=/img/a.jpg alt='caf\xe9' data-flashback-hold=\"\" loading=\"lazy\">";
    assert_eq!(
        out.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}

#[test]
fn utf_16_passes_whatever_the_header_says() {
    for page in [&b"\xff\xfe<\0h\0e\0a\0d\0>\0"[..], b"\xfe\xff\0<\0h\0e\0a\0d\0>"] {
        for charset in [None, Some(UTF_8)] {
            let (out, outcome) = rewrite_all_ways(page, charset);
            assert_eq!(out, page);
            assert_eq!(
                outcome,
                Outcome {
                    fault: Some(Fault::Charset),
                    ..Outcome::default()
                }
            );
        }
    }
}

#[test]
fn an_encoding_that_only_the_page_says_is_said_first() {
    let page =
        b"<html><head><title>\xcf\xf0\xe8\xe2\xe5\xf2</title><meta charset=windows-1251><img src=/img/a.jpg>";
    let text = |bytes: &[u8]| WINDOWS_1251.decode(bytes).0.into_owned();
    let (out, outcome) = rewrite_all_ways(page, None);
    let out = text(&out);
    assert!(
        out.starts_with("<html><head><meta data-flashback charset=\"windows-1251\">[snippet]<title>Привет"),
        "{out}"
    );
    assert!(
        out.ends_with("<img src=/img/a.jpg data-flashback-hold=\"\" loading=\"lazy\">"),
        "{out}"
    );
    assert_eq!(outcome.fault, None);
    let (out, _) = rewrite_all_ways(page, Some(WINDOWS_1251));
    assert!(
        text(&out).starts_with("<html><head>[snippet]<title>Привет"),
        "the header has said it"
    );
    let (out, _) = rewrite_all_ways(b"<head><p>unsaid", None);
    assert_eq!(out, b"<head>[snippet]<p>unsaid");
}

#[test]
fn a_long_comment_before_the_head_is_not_kept() {
    let comment = format!("<!--{}-->", "<head>".repeat(1 << 17));
    let (mut rewriter, mut out) = (Rewriter::new(plan(Some(UTF_8))), Vec::new());
    for chunk in comment.as_bytes().chunks(4096) {
        let before = out.len();
        rewriter.write(chunk, &mut out);
        assert!(out.len() + 8 >= before + chunk.len(), "bytes are held up");
    }
    rewriter.write(b"<head><title>", &mut out);
    rewriter.end(&mut out);
    assert_eq!(out, [comment.as_bytes(), b"<head>[snippet]<title>"].concat());
}

#[test]
fn beyond_the_memory_of_the_parser_the_page_passes_as_it_is() {
    let huge = "x".repeat(2 * markup::MAX_MEMORY);
    let before = "<head><img src=/img/a.jpg>";
    let after = format!("<img src=/img/a.jpg alt=\"{huge}\"><img src=/img/a.jpg>");
    let page = format!("{before}{after}");
    for size in [1000, 65_536, 300_000] {
        let (out, outcome) = rewrite_chunks(plan(Some(UTF_8)), page.as_bytes().chunks(size));
        let expected =
            format!("<head>[snippet]<img src=/img/a.jpg data-flashback-hold=\"\" loading=\"lazy\">{after}");
        assert!(
            out == expected.as_bytes(),
            "chunks of {size}: nothing lost, nothing twice"
        );
        let references = vec!["/img/a.jpg".to_owned()];
        assert_eq!(
            outcome,
            Outcome {
                injected: true,
                references,
                fault: Some(Fault::Memory)
            }
        );
    }
}

#[test]
fn huge_attributes_of_other_elements_are_not_kept() {
    let page = format!(
        "<head><div style=\"{}\"><img src=/img/a.jpg>",
        "x".repeat(2 * markup::MAX_MEMORY)
    );
    let (out, outcome) = rewrite_chunks(plan(Some(UTF_8)), page.as_bytes().chunks(1000));
    assert_eq!(outcome.fault, None);
    assert!(out.ends_with(b"<img src=/img/a.jpg data-flashback-hold=\"\" loading=\"lazy\">"));
}

#[test]
fn a_page_without_content_passes() {
    for page in [&b""[..], b"<!doctype html>", b"<html", b"<!--", b"\xef\xbb"] {
        let (out, outcome) = rewrite_all_ways(page, None);
        let expected = if page == b"\xef\xbb" {
            b"[snippet]\xef\xbb"
        } else {
            page
        };
        assert_eq!(out, expected);
        assert_eq!(outcome.injected, page == b"\xef\xbb");
    }
}

#[test]
fn what_is_certain_goes_out_at_once() {
    let (mut rewriter, mut out) = (Rewriter::new(plan(Some(UTF_8))), Vec::new());
    for (input, so_far) in [
        ("<!doctype html><ht", "<!doctype html>"),
        ("ml><head", "<!doctype html><html>"),
        ("><p>Hello", "<!doctype html><html><head>[snippet]<p>Hello"),
        ("<im", "<!doctype html><html><head>[snippet]<p>Hello"),
        (
            "g src=x>",
            "<!doctype html><html><head>[snippet]<p>Hello<img src=x>",
        ),
    ] {
        rewriter.write(input.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), so_far);
    }
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "<",
        ">",
        "!",
        "--",
        "<!--",
        "-->",
        "--!>",
        "<head",
        "<head>",
        "<html ",
        "</head>",
        "<body>",
        "\"",
        "'",
        "=",
        " ",
        "/",
        "\n",
        "a",
        "<p>",
        "text",
        "<img src=/img/a.jpg>",
        "<img src=",
        "<script>",
        "</script>",
        "<style data-flashback",
        "<?x",
        "<template>",
        "</template>",
        "<svg>",
        "<title>",
        "</title>",
        "<meta charset=koi8-r>",
        "<base href=",
        "\u{e9}",
        "\0",
        "&amp;",
        "<plaintext>",
        "<noscript>",
        "<!doctype html>",
        "<picture><source srcset=/img/a.jpg>",
        "\u{feff}",
    ])
}

proptest! {
    /// Whatever the page and however it is cut: the output is one and the same, and without what we add it is the page.
    #[test]
    fn nothing_is_lost_and_nothing_depends_on_the_cut(
        pieces in prop::collection::vec(piece(), 0..40),
        sizes in prop::collection::vec(1_usize..7, 1..200),
        named in any::<bool>(),
    ) {
        let page: String = pieces.concat();
        let charset = named.then_some(UTF_8);
        let whole = rewrite_chunks(plan(charset), [page.as_bytes()]);
        let mut rest = page.as_bytes();
        let mut chunks = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, tail) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = tail;
        }
        prop_assert_eq!(&rewrite_chunks(plan(charset), chunks), &whole);
        let (plain, outcome) = rewrite_chunks(Plan { carried: None, ..plan(charset) }, [page.as_bytes()]);
        let plain = String::from_utf8(plain).expect("is text");
        let without = plain.replacen("<meta data-flashback charset=\"KOI8-R\">", "", 1).replacen(SNIPPET, "", 1);
        prop_assert_eq!(plain.contains(SNIPPET), outcome.injected);
        prop_assert_eq!(without, page);
    }
}
