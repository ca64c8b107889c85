//! The site as a visitor asks it: navigation, objects, ranges, and the upgrade to the broker's socket. Every body is bounded.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use tokio::time::{error::Elapsed, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};
use url::Url;

use super::{
    meter::{Connector, Meter},
    pace::Pace,
};

/// The broker's socket, before the first word.
pub(super) type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// Why the site did not give what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// The URL is not one of HTTP.
    #[error("'{0}' is not an http or https URL with a host")]
    Url(String),
    /// The site cannot be reached, or broke off.
    #[error("cannot get '{url}': {reason}")]
    Broken {
        /// What was asked for.
        url: String,
        /// What the system or the library said.
        reason: String,
    },
    /// It answered something else than was asked for.
    #[error("'{url}' answered {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The answer.
        status: StatusCode,
    },
    /// It answered more than a visitor takes.
    #[error("'{url}' is longer than {most} bytes")]
    Long {
        /// What was asked for.
        url: String,
        /// The bound.
        most: usize,
    },
}

/// One visitor's way to the site: a few connections, its own address, its own downlink.
#[derive(Clone)]
pub(super) struct Site {
    client: Client<Connector, Empty<Bytes>>,
    page: Arc<Url>,
    meter: Arc<Meter>,
    agent: HeaderValue,
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Site {
    pub(super) fn new(
        page: Url,
        from: Option<IpAddr>,
        down: Arc<Pace>,
        agent: HeaderValue,
    ) -> Result<Self, SiteError> {
        if !matches!(page.scheme(), "http" | "https") || page.host_str().is_none_or(str::is_empty) {
            return Err(SiteError::Url(page.to_string()));
        }
        let meter = Arc::new(Meter {
            received: AtomicU64::new(0),
            down,
        });
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(CONNECTIONS)
            .build(Connector::new(from, Arc::clone(&meter)));
        Ok(Self {
            client,
            page: Arc::new(page),
            meter,
            agent,
        })
    }

    pub(super) fn page(&self) -> &Url {
        &self.page
    }

    /// All that came over this visitor's connections, headers and signalling included; TLS not.
    pub(super) fn received(&self) -> u64 {
        self.meter.received.load(Relaxed)
    }

    /// The page, asked for as the address bar does.
    pub(super) async fn navigate(&self) -> Result<Answer, SiteError> {
        let headers = [
            (header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8"),
            (header::HeaderName::from_static("sec-fetch-dest"), "document"),
            (header::HeaderName::from_static("sec-fetch-mode"), "navigate"),
            (header::HeaderName::from_static("sec-fetch-site"), "none"),
            (header::UPGRADE_INSECURE_REQUESTS, "1"),
        ];
        let answer = self.get(self.page.as_str(), headers, HTML_MAX).await?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(SiteError::Status {
                url: self.page.to_string(),
                status: answer.status,
            })
        }
    }

    /// What the page refers to, whole; `path` is a path and query of the site.
    pub(super) async fn object(&self, path: &str, most: usize) -> Result<Answer, SiteError> {
        let headers = [(header::ACCEPT, "*/*"), (header::REFERER, self.page.as_str())];
        // Nobody reads a script here, but it is to cost the site what it costs with browsers.
        let coding = is_script(path).then_some((header::ACCEPT_ENCODING, "br"));
        self.get(&self.url(path)?, headers.into_iter().chain(coding), most)
            .await
    }

    /// The bytes `from..to` of what `path` names.
    pub(super) async fn range(&self, path: &str, from: u64, to: u64) -> Result<Answer, SiteError> {
        let (url, range) = (self.url(path)?, format!("bytes={from}-{}", to.saturating_sub(1)));
        let most = usize::try_from(to - from).unwrap_or(usize::MAX);
        self.get(&url, [(header::RANGE, range.as_str())], most).await
    }

    /// The socket to the broker.
    pub(super) async fn signal(&self, path: &str) -> Result<Socket, SiteError> {
        let url = self.url(path)?;
        let key = generate_key();
        let origin = self.page.origin().ascii_serialization();
        let headers = [
            (header::CONNECTION, "Upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
            (header::SEC_WEBSOCKET_KEY, &key),
            (header::ORIGIN, &origin),
        ];
        let response = self.send(&url, headers).await?;
        let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
        if response.status() != StatusCode::SWITCHING_PROTOCOLS
            || accepted.is_none_or(|accepted| accepted != derive_accept_key(key.as_bytes()).as_str())
        {
            let status = response.status();
            return Err(SiteError::Status { url, status });
        }
        let upgraded = hyper::upgrade::on(response).await;
        let upgraded = upgraded.map_err(|error| broken(&url, &error))?;
        // A whole chunk and its head; nothing longer comes from a broker.
        let bounds = WebSocketConfig::default()
            .max_message_size(Some(SIGNAL_MAX))
            .max_frame_size(Some(SIGNAL_MAX))
            .read_buffer_size(4 * 1024)
            .write_buffer_size(0);
        Ok(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(bounds)).await)
    }

    fn url(&self, path: &str) -> Result<String, SiteError> {
        let url = self
            .page
            .join(path)
            .map_err(|_| SiteError::Url(path.to_owned()))?;
        // A manifest that names another site is not asked there: it is not what the visitor looks at.
        if url.origin() == self.page.origin() {
            Ok(url.into())
        } else {
            Err(SiteError::Url(url.into()))
        }
    }

    /// A connection that the site gave up in a jam is never heard of again: then once more by another.
    async fn get<'a>(
        &self,
        url: &str,
        headers: impl IntoIterator<Item = (header::HeaderName, &'a str)> + Clone,
        most: usize,
    ) -> Result<Answer, SiteError> {
        match self.try_get(url, headers.clone(), most).await {
            Err(Stalled) => self.try_get(url, headers, most).await.unwrap_or_else(|Stalled| {
                let (url, reason) = (url.to_owned(), format!("nothing came for {} s", STALL.as_secs()));
                Err(SiteError::Broken { url, reason })
            }),
            Ok(answer) => answer,
        }
    }

    async fn try_get<'a>(
        &self,
        url: &str,
        headers: impl IntoIterator<Item = (header::HeaderName, &'a str)>,
        most: usize,
    ) -> Result<Result<Answer, SiteError>, Stalled> {
        let response = match timeout(STALL, self.send(url, headers)).await? {
            Ok(response) => response,
            Err(error) => return Ok(Err(error)),
        };
        let (parts, mut body) = response.into_parts();
        let mut whole = BytesMut::new();
        while let Some(frame) = timeout(STALL, body.frame()).await? {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return Ok(Err(broken(url, &error))),
            };
            let Ok(part) = frame.into_data() else { continue };
            if part.len() > most - whole.len() {
                let url = url.to_owned();
                return Ok(Err(SiteError::Long { url, most }));
            }
            whole.extend_from_slice(&part);
        }
        Ok(Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: whole.freeze(),
        }))
    }

    async fn send<'a>(
        &self,
        url: &str,
        headers: impl IntoIterator<Item = (header::HeaderName, &'a str)>,
    ) -> Result<http::Response<Incoming>, SiteError> {
        let uri: Uri = url.parse().map_err(|_| SiteError::Url(url.to_owned()))?;
        let mut request = Request::get(uri).header(header::USER_AGENT, self.agent.clone());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Empty::new()).map_err(|error| broken(url, &error))?;
        self.client
            .request(request)
            .await
            .map_err(|error| broken(url, &error))
    }
}

/// Nothing came for [`STALL`].
struct Stalled;

impl From<Elapsed> for Stalled {
    fn from(_: Elapsed) -> Self {
        Self
    }
}

/// Whether it is a part of the client.
fn is_script(path: &str) -> bool {
    let file = path.split('?').next().unwrap_or_default();
    file.starts_with("/.flashback/") && file.ends_with(".js")
}

fn broken(url: &str, error: &dyn std::error::Error) -> SiteError {
    // The innermost error is what the system said; what is around it says only that a request failed.
    let mut reason = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    SiteError::Broken {
        url: url.to_owned(),
        reason: reason.to_string(),
    }
}

/// Longer than our proxy bears with a silent connection.
const STALL: Duration = Duration::from_secs(20);
/// What browsers open to one host over HTTP/1.1.
const CONNECTIONS: usize = 6;
/// A page with its manifest; what is longer is no page that people read.
const HTML_MAX: usize = 16 * 1024 * 1024;
/// A chunk from the broker has 16,389 bytes.
const SIGNAL_MAX: usize = 32 * 1024;
