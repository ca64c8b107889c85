//! The state file through the binary: what one life of the process knew, the next one knows; and whatever the disk holds or
//! does, the site is served.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
    time::{MissedTickBehavior, interval},
};

/// A folder of its own, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("flashback-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn state(&self) -> PathBuf {
        self.0.join("state.json")
    }

    fn read(&self) -> Value {
        serde_json::from_slice(&fs::read(self.state()).unwrap()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("state"))
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The binary in front of a small origin.
struct Proxy {
    process: Child,
    site: SocketAddr,
    admin: SocketAddr,
}

impl Proxy {
    async fn start(folder: &Folder, state: &str) -> Self {
        let config = folder.0.join("flashback.toml");
        fs::write(&config, format!("[state]\nfile = \"{state}\"\nevery = \"1s\"\n")).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_flashback"))
            .args(["proxy", "--upstream", &format!("http://{}", origin().await)])
            .args([
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
                "--stun",
                "off",
                "--config",
            ])
            .arg(&config)
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut address = |what: &str| {
            let line = lines.next().unwrap().unwrap();
            line.strip_prefix(what)
                .unwrap()
                .strip_prefix(" http://")
                .unwrap()
                .parse()
                .unwrap()
        };
        let (site, admin) = (address("listening"), address("admin"));
        Self { process, site, admin }
    }

    /// So many visits at an even pace, each from another address.
    async fn visit(&self, visits: u32, pace: Duration) {
        let mut clock = interval(pace);
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for visit in 0..visits {
            clock.tick().await;
            let answer = get(self.site, Ipv4Addr::new(127, 0, 3, (visit % 250) as u8 + 1), "/").await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }

    async fn hot_pages(&self) -> Vec<Value> {
        let answer = get(self.admin, Ipv4Addr::LOCALHOST, "/status.json").await;
        let status: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let crowds = status["crowds"].as_array().unwrap();
        crowds
            .iter()
            .map(|crowd| crowd["key"].clone())
            .filter(|key| key != "*")
            .collect()
    }

    /// Ends as an operator ends it, and gives what it said.
    fn end(mut self) -> String {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
        let mut said = String::new();
        self.process
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        said
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn get(address: SocketAddr, from: Ipv4Addr, path: &str) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: site.example\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = axum::Router::new().route("/", axum::routing::get(|| async { "all is well" }));
    tokio::spawn(async move { axum::serve(listener, site).await });
    address
}

/// A memory in which the page has this many requests per second, every day.
fn memory(rate: f64) -> Value {
    json!({ "version": 1, "seconds": 86_400.0, "site": rate, "pages": [["site.example/", rate]] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_everyday_business_in_one_life_is_no_crowd_in_the_next() {
    let (warm, cold) = (Folder::new("warm"), Folder::new("cold"));
    fs::write(warm.state(), memory(20.0).to_string()).unwrap();
    let proxies = [
        Proxy::start(&warm, warm.state().to_str().unwrap()).await,
        Proxy::start(&cold, cold.state().to_str().unwrap()).await,
    ];
    // The load balancer comes back three seconds after the process, with what is usual.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let pace = Duration::from_millis(50);
    tokio::join!(proxies[0].visit(160, pace), proxies[1].visit(160, pace));
    assert_eq!(
        proxies[0].hot_pages().await,
        [] as [Value; 0],
        "the past is remembered"
    );
    assert_eq!(
        proxies[1].hot_pages().await,
        ["site.example/"],
        "without a past the same is a crowd"
    );
    let [warmed, _] = proxies;
    let said = warmed.end();
    assert!(said.contains("state.json") && said.contains("pages=1"), "{said}");
    let kept = warm.read();
    assert_eq!(kept["pages"][0][0], "site.example/");
    let rate = kept["pages"][0][1].as_f64().unwrap();
    assert!((15.0..=25.0).contains(&rate), "{kept}");
    assert!(kept["seconds"].as_f64().unwrap() > 86_000.0, "{kept}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_leaves_a_whole_file_of_its_last_second() {
    let folder = Folder::new("killed");
    let mut proxy = Proxy::start(&folder, folder.state().to_str().unwrap()).await;
    proxy.visit(20, Duration::from_millis(5)).await;
    let begun = Instant::now();
    loop {
        let known = fs::read(folder.state())
            .ok()
            .map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap());
        if known.is_some_and(|known| known["pages"][0][0] == "site.example/") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing was written");
        tokio::task::yield_now().await;
    }
    proxy.process.kill().unwrap();
    proxy.process.wait().unwrap();
    assert_eq!(folder.read()["version"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_no_use_is_told_kept_and_replaced() {
    for (name, text) in [
        ("cut", memory(20.0).to_string()[..40].to_owned()),
        (
            "foreign",
            memory(20.0).to_string().replace("\"version\":1", "\"version\":9"),
        ),
        ("noise", "\0\u{1}\u{2}not a state".to_owned()),
    ] {
        let folder = Folder::new(name);
        fs::write(folder.state(), &text).unwrap();
        let proxy = Proxy::start(&folder, folder.state().to_str().unwrap()).await;
        proxy.visit(10, Duration::from_millis(5)).await;
        let said = proxy.end();
        assert!(
            said.contains("WARN")
                && said.contains("the state file is of no use")
                && said.contains("state.json.bad"),
            "{said}"
        );
        assert!(
            name != "foreign" || said.contains("memory of version 9, not 1"),
            "{said}"
        );
        assert_eq!(folder.names(), ["state.json", "state.json.bad"]);
        assert_eq!(fs::read_to_string(folder.0.join("state.json.bad")).unwrap(), text);
        assert_eq!(folder.read()["version"], 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_cannot_be_written_is_told_once_and_the_site_is_served() {
    let folder = Folder::new("nowhere");
    let nowhere = folder.0.join("missing/state.json");
    let proxy = Proxy::start(&folder, nowhere.to_str().unwrap()).await;
    // Over several attempts to write.
    proxy.visit(30, Duration::from_millis(100)).await;
    let said = proxy.end();
    assert_eq!(
        said.matches("the state file cannot be written").count(),
        1,
        "{said}"
    );
    assert!(!nowhere.exists());
}
