//! The webhook as its receiver meets it: the binary in front of a site, and a receiver that fails before it takes.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::{HashMap, VecDeque},
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

const KEY: &[u8] = b"a key of thirty-two bytes, truly";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_first_is_told_again_and_in_order() {
    // Refuses twice, then breaks off, then takes.
    let mut receiver =
        Receiver::start(&[StatusCode::INTERNAL_SERVER_ERROR, StatusCode::TEMPORARY_REDIRECT]).await;
    let proxy = Proxy::start("order", &receiver, "").await;
    proxy.order("hot").await;
    proxy.order("calm").await;
    let first = receiver.next().await;
    let again = receiver.next().await;
    let third = receiver.next().await;
    assert_eq!(first.id, again.id, "the same notice");
    assert_eq!(first.body, third.body);
    assert!(third.timestamp > first.timestamp, "signed anew");
    let notice = third.verified();
    assert_eq!(notice["type"], "crowd.hot");
    assert_eq!(notice["timestamp"], notice["data"]["at"]);
    let crowd = &notice["data"];
    assert_eq!(
        (&crowd["key"], &crowd["from"], &crowd["rule"]),
        (&"site.example/news".into(), &"calm".into(), &"manual".into())
    );
    let next = receiver.next().await;
    assert_ne!(next.id, third.id);
    assert_eq!(next.verified()["type"], "crowd.calm");
    assert!(
        third.now.abs_diff(third.timestamp) < 60,
        "a receiver may refuse what is old"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_takes_is_given_up_and_counted() {
    let mut receiver = Receiver::start(&[StatusCode::NOT_FOUND; 4]).await;
    let proxy = Proxy::start("lost", &receiver, "attempts = 1\n").await;
    for mode in ["hot", "calm", "hot", "calm", "hot"] {
        proxy.order(mode).await;
    }
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(receiver.next().await.verified()["data"]["to"].clone());
    }
    assert_eq!(told, ["hot", "calm", "hot", "calm", "hot"], "each but once");
    let lost = timeout(Duration::from_secs(20), async {
        loop {
            let metrics = get(proxy.admin, "GET /metrics", "").await;
            let line = metrics
                .lines()
                .find(|line| line.starts_with("flashback_shed_total{reason=\"webhook\"}"));
            if let Some(line) = line.filter(|line| line.ends_with(" 4")) {
                return line.to_owned();
            }
        }
    });
    lost.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_without_a_secret_does_not_start() {
    let folder = Folder::new("bare");
    let config = folder.0.join("flashback.toml");
    for (secret, said) in [
        ("hunter2", "does not begin with 'whsec_'"),
        ("whsec_aGVsbG8=", "has 5 bytes"),
    ] {
        fs::write(folder.0.join("secret"), secret).unwrap();
        fs::write(&config, settings("http://127.0.0.1:9/", &folder, "")).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_flashback"))
            .args(["proxy", "--upstream", "http://127.0.0.1:9", "--config"])
            .arg(&config)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(said) && !told.contains(secret), "{told}");
    }
}

/// One request as it came.
struct Call {
    id: String,
    timestamp: u64,
    signature: String,
    body: Bytes,
    now: u64,
}

impl Call {
    fn of(headers: &HeaderMap, body: Bytes) -> Self {
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(text("content-type"), "application/json");
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        Self {
            id: text("webhook-id"),
            timestamp: text("webhook-timestamp").parse().unwrap(),
            signature: text("webhook-signature"),
            body,
            now,
        }
    }

    fn verified(&self) -> Value {
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
        mac.update(format!("{}.{}.", self.id, self.timestamp).as_bytes());
        mac.update(&self.body);
        let signature = STANDARD
            .decode(self.signature.strip_prefix("v1,").unwrap())
            .unwrap();
        mac.verify_slice(&signature).unwrap();
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Answers with each of a list of statuses, then with 204.
struct Receiver {
    address: SocketAddr,
    calls: mpsc::UnboundedReceiver<Call>,
}

impl Receiver {
    async fn start(answers: &[StatusCode]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, calls) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(VecDeque::from(answers.to_vec())));
        let receive = move |headers: HeaderMap, body: Bytes| async move {
            told.send(Call::of(&headers, body)).unwrap();
            answers
                .lock()
                .unwrap()
                .pop_front()
                .unwrap_or(StatusCode::NO_CONTENT)
        };
        let app = Router::new().route("/crowds", post(receive));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, calls }
    }

    async fn next(&mut self) -> Call {
        timeout(Duration::from_secs(30), self.calls.recv())
            .await
            .unwrap()
            .unwrap()
    }
}

/// A folder of its own, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("flashback-hook-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn settings(url: &str, folder: &Folder, more: &str) -> String {
    let secret = folder.0.join("secret");
    format!(
        "[webhook]\nurl = \"{url}\"\nsecret_file = \"{}\"\n{more}",
        secret.display()
    )
}

/// The binary; ends with the test.
struct Proxy {
    process: Child,
    admin: SocketAddr,
    _folder: Folder,
}

impl Proxy {
    async fn start(name: &str, receiver: &Receiver, more: &str) -> Self {
        let folder = Folder::new(name);
        fs::write(
            folder.0.join("secret"),
            format!("whsec_{}\n", STANDARD.encode(KEY)),
        )
        .unwrap();
        let (config, url) = (
            folder.0.join("flashback.toml"),
            format!("http://{}/crowds", receiver.address),
        );
        fs::write(&config, settings(&url, &folder, more)).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_flashback"))
            .args([
                "proxy",
                "--upstream",
                "http://127.0.0.1:9",
                "--listen",
                "127.0.0.1:0",
            ])
            .args(["--admin", "127.0.0.1:0", "--stun", "off", "--config"])
            .arg(&config)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said: HashMap<String, String> = lines
            .take(2)
            .map(|line| {
                line.unwrap()
                    .split_once(' ')
                    .map(|(what, at)| (what.to_owned(), at.to_owned()))
                    .unwrap()
            })
            .collect();
        let admin = said["admin"].strip_prefix("http://").unwrap().parse().unwrap();
        Self {
            process,
            admin,
            _folder: folder,
        }
    }

    /// Makes the page hot or calm by hand.
    async fn order(&self, mode: &str) {
        let body = format!("{{\"url\":\"http://site.example/news\",\"mode\":\"{mode}\"}}");
        let answer = get(self.admin, "POST /crowd", &body).await;
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn get(address: SocketAddr, what: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{what} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
