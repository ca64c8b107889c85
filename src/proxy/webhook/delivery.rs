//! One notice on its way: signed anew in each attempt, repeated with pauses, given up in the end.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rand::RngExt;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{Secret, WebhookSettings, WebhookUrl, pause};
use crate::telemetry::Event;

/// What the receiver is told: the same bytes under the same name in every attempt.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    id: String,
    pub(super) body: Bytes,
}

impl Notice {
    pub(super) fn of(event: &Event) -> Self {
        let mut value = json!({ "type": format!("crowd.{}", event.to), "data": event });
        value["timestamp"] = value["data"]["at"].clone();
        Self {
            id: format!("msg_{:032x}", rand::random::<u128>()),
            body: value.to_string().into(),
        }
    }
}

/// The way to the receiver.
#[derive(Debug)]
pub(super) struct Delivery {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    secret: Secret,
    timeout: Duration,
    attempts: u32,
}

impl Delivery {
    pub(super) fn new(url: &WebhookUrl, secret: Secret, settings: &WebhookSettings) -> Self {
        let trust =
            rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .expect("ring has the ciphers of the protocol versions that rustls is built with")
                .with_webpki_roots()
                .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust)
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .build(connector),
            uri: url.uri().clone(),
            secret,
            timeout: settings.timeout,
            attempts: settings.attempts,
        }
    }

    /// Whether the receiver took it: any status from 200 to 299. A redirect is not followed: it would take the signature
    /// to somebody else.
    pub(super) async fn deliver(&self, notice: &Notice) -> bool {
        for attempt in 1..=self.attempts {
            let fault = match timeout(self.timeout, self.client.request(self.request(notice))).await {
                Ok(Ok(response)) if response.status().is_success() => return true,
                Ok(Ok(response)) => format!("status {}", response.status().as_u16()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            tracing::warn!(
                attempt,
                of = self.attempts,
                fault,
                "the webhook's receiver did not take a notice"
            );
            if attempt < self.attempts {
                // Many proxies that lost the same receiver do not come back in step.
                let jitter = rand::rng().random_range(0.8..1.2);
                sleep(pause(attempt).mul_f64(jitter)).await;
            }
        }
        false
    }

    fn request(&self, notice: &Notice) -> Request<Full<Bytes>> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let signature = self.secret.sign(&notice.id, now, &notice.body);
        let mut request = Request::new(Full::new(notice.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert("webhook-timestamp", now.into());
        for (name, value) in [
            ("webhook-id", notice.id.as_str()),
            ("webhook-signature", &signature),
        ] {
            // Both are of our making, in ASCII.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        request
    }
}

const AGENT: &str = concat!("flashback/", env!("CARGO_PKG_VERSION"));
/// Less than what servers commonly keep an unused connection for.
const IDLE: Duration = Duration::from_secs(4);
