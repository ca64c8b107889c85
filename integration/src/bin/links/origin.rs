//! The origin: a page with pictures, and the real `flashback proxy` in front of it, both in the origin's namespace.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use axum::{Router, http::header, response::Html, routing::get};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tower_flashback::{
    content::Digest,
    unit::BitRate,
    visitor::{Settings, Visit, Visitor},
};
use url::Url;

use crate::{network::ORIGIN, place::Place, processor};

/// The page: what its visitors are to have in the end.
#[derive(Debug)]
pub(crate) struct Page {
    pictures: Vec<Vec<u8>>,
}

/// A running proxy; killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    process: Child,
    admin: SocketAddr,
    pub(crate) url: Url,
}

impl Page {
    /// `bytes` in a few pictures, which nobody can compress.
    pub(crate) fn new(bytes: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(bytes);
        let each = bytes / PICTURES;
        let picture = |_| (0..each).map(|_| random.random()).collect();
        Self {
            pictures: (0..PICTURES).map(picture).collect(),
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.pictures.iter().map(|picture| picture.len() as u64).sum()
    }

    /// Whether a visitor has all of it, and nothing else in its place.
    pub(crate) fn is_whole(&self, visit: &Visit) -> bool {
        self.pictures.iter().enumerate().all(|(number, picture)| {
            let (url, digest) = (path(number), Digest::of(picture));
            let mut same = visit.objects.iter().filter(|object| object.url == url);
            same.next().is_some_and(|object| object.digest == digest) && same.next().is_none()
        })
    }

    /// Serves it in this namespace for as long as its thread lives; says where.
    pub(crate) fn serve(self: Arc<Self>, place: &Place) -> anyhow::Result<SocketAddr> {
        let serve = move || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            let at = listener.local_addr()?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            std::thread::spawn(move || {
                runtime.block_on(async move {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    axum::serve(listener, self.router()).await
                })
            });
            Ok(at)
        };
        place.run(serve).wait()?
    }

    fn router(&self) -> Router {
        let images: String = (0..self.pictures.len())
            .map(|number| format!("<img src=\"{}\" alt=\"\">\n", path(number)))
            .collect();
        let html = format!(
            "<!doctype html>\n<html><head><title>A crowd</title></head><body>\n{images}</body></html>\n"
        );
        let mut router = Router::new().route("/", get(move || async { Html(html) }));
        for (number, picture) in self.pictures.iter().enumerate() {
            let picture = bytes::Bytes::from(picture.clone());
            let headers = [
                (header::CONTENT_TYPE, "image/png"),
                (header::CACHE_CONTROL, "public, max-age=3600"),
            ];
            router = router.route(&path(number), get(move || async move { (headers, picture) }));
        }
        router
    }
}

impl Proxy {
    /// Starts it, makes the page hot, and has one visitor on the same machine load what the page refers to, so that the
    /// crowd finds a manifest.
    pub(crate) fn start(
        place: &Place,
        upstream: SocketAddr,
        uplink: BitRate,
        list_digests_below: u32,
    ) -> anyhow::Result<Self> {
        // Hot is what we say, and carried whatever it weighs; addresses of this network are private.
        let settings = format!(
            "[origin]\nuplink = \"{uplink}\"\n[broker]\nlan_candidates = true\n[carry]\nengage_at = 0.0\n\
             list_digests_below = {list_digests_below}\n"
        );
        let (process, said) = place.run(move || spawn(&settings, upstream)).wait()??;
        let at = |name: &str| {
            let line = said
                .iter()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.with_context(|| format!("the proxy did not say its {name} address"))
        };
        let mut proxy = Self {
            admin: at("admin")?
                .trim_start_matches("http://")
                .trim_end_matches('/')
                .parse()?,
            url: Url::parse(at("listening")?)?,
            process,
        };
        proxy.heat(place)?;
        Ok(proxy)
    }

    /// Processor time that it has had.
    pub(crate) fn processor(&self) -> anyhow::Result<Duration> {
        processor::of(self.process.id())
    }

    /// Ends it as a power cut does: broker, page and all.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// The sum of a metric's series.
    pub(crate) fn metric(&self, place: &Place, series: &str) -> anyhow::Result<f64> {
        let admin = self.admin;
        let text = place.run(move || ask(admin, "GET /metrics", "")).wait()??;
        let values = text.lines().filter(|line| line.starts_with(series));
        Ok(values
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum())
    }

    fn heat(&mut self, place: &Place) -> anyhow::Result<()> {
        let (admin, url) = (self.admin, self.url.clone());
        let order = format!("{{\"url\":\"{url}\",\"mode\":\"hot\"}}");
        place.run(move || ask(admin, "POST /crowd", &order)).wait()??;
        let deadline = Instant::now() + PATIENCE;
        // The first finds a hot page without a manifest, and makes one.
        loop {
            let url = url.clone();
            let visit = place.run(move || look(url)).wait()??;
            if visit.hot && visit.got > 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the page is not carried: {visit:?}");
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The kernel ends it with the thread that started it, whatever ends that: nothing is left behind.
fn spawn(settings: &str, upstream: SocketAddr) -> anyhow::Result<(Child, Vec<String>)> {
    let binary = std::env::current_exe()?.with_file_name("flashback");
    if !binary.exists() {
        bail!(
            "there is no '{}': cargo build --release -p tower-flashback --features cli makes it",
            binary.display()
        );
    }
    let any = format!("{ORIGIN}:0");
    let mut process = Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(&binary)
        .args([
            "proxy",
            "--listen",
            &any,
            "--admin",
            "127.0.0.1:0",
            "--stun",
            &any,
        ])
        .args([
            "--upstream",
            &format!("http://{upstream}"),
            "--config",
            "/dev/stdin",
        ])
        .env(
            "RUST_LOG",
            std::env::var("RUST_LOG").unwrap_or_else(|_| "error".to_owned()),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run 'setpriv', which Debian has in util-linux")?;
    if let Some(mut input) = process.stdin.take() {
        input.write_all(settings.as_bytes())?;
    }
    let output = process.stdout.take().context("standard output is a pipe")?;
    let mut said = Vec::new();
    for line in BufReader::new(output).lines() {
        said.push(line?);
        if said.len() == ADDRESSES {
            return Ok((process, said));
        }
    }
    bail!("the proxy ended at once: {}", process.wait()?)
}

/// One visitor of the page, in the namespace of whoever calls.
fn look(url: Url) -> anyhow::Result<Visit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut settings = Settings::default();
    settings.address = Some(ORIGIN.into());
    Ok(runtime.block_on(Visitor::new(url, settings).visit())?)
}

/// One request of HTTP/1.0, which needs no client library.
fn ask(at: SocketAddr, request: &str, body: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.0\r\nhost: {at}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer
        .split(' ')
        .nth(1)
        .is_none_or(|status| !status.starts_with('2'))
    {
        bail!("{request}: {answer}");
    }
    Ok(answer)
}

fn path(number: usize) -> String {
    format!("/picture-{number}.png")
}

const PICTURES: u64 = 4;
/// What the proxy says before it serves: listening, admin, stun.
const ADDRESSES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(10);
