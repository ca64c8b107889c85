//! Law 1, calm is free: on the wire, nothing but the date tells whether the layer is there.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use axum::Router;
use flashback_example_site::FILES;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[tokio::test]
async fn every_answer_is_the_sites_own_byte_for_byte() {
    let (layered, _flashback) = integration::layered().unwrap();
    let (bare, layered) = (serve(integration::bare()).await, serve(layered).await);
    let mut compared = 0;
    for file in FILES {
        let whole = ask(bare, "GET", file.path, &[]).await;
        let (tag, date) = (header(&whole, "etag"), header(&whole, "last-modified"));
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            for headers in questions(&tag, &date) {
                let expected = ask(bare, method, file.path, &headers).await;
                let got = ask(layered, method, file.path, &headers).await;
                assert!(expected.starts_with(b"HTTP/1.1 "));
                assert!(
                    expected == got,
                    "{method} {} {headers:?}\n{}\n{}",
                    file.path,
                    head(&expected),
                    head(&got)
                );
                compared += 1;
            }
        }
    }
    for path in ["/elsewhere", "/?a=b&c", "/murmuration/", "//", "/%2e%2e/"] {
        assert!(
            ask(bare, "GET", path, &[]).await == ask(layered, "GET", path, &[]).await,
            "{path}"
        );
    }
    println!("{compared} answers are the same");
}

/// The questions that a visitor may ask about one file, each as a list of headers.
fn questions(tag: &str, date: &str) -> Vec<Vec<(&'static str, String)>> {
    let one = |name, value: &str| vec![(name, value.to_owned())];
    let navigation = vec![
        ("accept", "text/html,*/*;q=0.8".to_owned()),
        ("accept-encoding", "gzip, deflate, br".to_owned()),
        ("sec-fetch-dest", "document".to_owned()),
        ("sec-fetch-mode", "navigate".to_owned()),
        (
            "user-agent",
            "Mozilla/5.0 Chrome/140.0.0.0 Safari/537.36".to_owned(),
        ),
    ];
    let range = |condition: &str| {
        vec![
            ("range", "bytes=10-2000".to_owned()),
            ("if-range", condition.to_owned()),
        ]
    };
    vec![
        vec![],
        navigation,
        one("accept-encoding", "gzip"),
        one("accept-encoding", "br"),
        one("range", "bytes=0-0"),
        one("range", "bytes=100-1099"),
        one("range", "bytes=-500"),
        one("range", "bytes=1000-"),
        one("range", "bytes=0-9,20-29"),
        one("range", "bytes=999999999-"),
        one("range", "nonsense"),
        range(tag),
        range("\"another\""),
        one("if-none-match", tag),
        one("if-none-match", "\"another\""),
        one("if-match", "\"another\""),
        one("if-modified-since", date),
        one("if-unmodified-since", "Thu, 01 Jan 2015 00:00:00 GMT"),
        one("save-data", "on"),
    ]
}

async fn serve(site: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = site.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// The answer as it is on the wire, without the line of the date.
async fn ask(site: SocketAddr, method: &str, path: &str, headers: &[(&str, String)]) -> Vec<u8> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    let mut stream = TcpStream::connect(site).await.unwrap();
    stream.write_all((request + "\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let date = answer
        .windows(8)
        .position(|window| window == b"\r\ndate: ")
        .expect("every answer has a date");
    answer.drain(date..date + "\r\ndate: Sun, 01 Mar 2026 06:00:00 GMT".len());
    answer
}

fn head(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(&answer[..answer.len().min(2000)]).into_owned();
    text.split("\r\n\r\n").next().unwrap_or_default().to_owned()
}

fn header(answer: &[u8], name: &str) -> String {
    let head = head(answer);
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .unwrap();
    line.to_owned()
}
