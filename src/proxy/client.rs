//! The one HTTP client to the origin: how it connects, whom it trusts, what it keeps open.

use std::{fmt, sync::Arc, time::Duration};

use axum::body::Body;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::net::TcpStream;
use tower::{ServiceExt, util::MapResponse};

use super::{
    config::{ConfigError, OriginSettings},
    connection::Marked,
};

/// A pool of connections to the origin.
pub(super) type OriginClient = Client<Connector, Body>;

type Connector = MapResponse<HttpsConnector<HttpConnector>, fn(Stream) -> Marked<Stream>>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// As the settings say; nothing is connected yet.
pub(super) fn client(settings: &OriginSettings) -> Result<OriginClient, ConfigError> {
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(settings.idle_timeout)
        .pool_max_idle_per_host(settings.idle_connections)
        .build(connector(settings)?))
}

/// Only HTTP/1.1 is spoken to the origin: there the host that the visitor named is one header, while HTTP/2 would need
/// one pool of connections for each name that a stranger invents.
fn connector(settings: &OriginSettings) -> Result<Connector, ConfigError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(settings.connect_timeout));
    // A tunnel may be silent for hours; an origin that vanished is noticed all the same.
    tcp.set_keepalive(Some(KEEPALIVE));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(trust(settings)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(https.map_response(Marked::new as fn(Stream) -> Marked<Stream>))
}

/// Whose certificate an https origin must have.
fn trust(settings: &OriginSettings) -> Result<ClientConfig, ConfigError> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the ciphers of the protocol versions that rustls is built with");
    let Some(file) = &settings.certificates else {
        return Ok(config.with_webpki_roots().with_no_client_auth());
    };
    let fault = |error: &dyn fmt::Display| {
        ConfigError::value(
            "origin.certificates",
            format!("cannot use '{}': {error}", file.display()),
        )
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| fault(&error))? {
        let certificate = certificate.map_err(|error| fault(&error))?;
        roots.add(certificate).map_err(|error| fault(&error))?;
    }
    if roots.is_empty() {
        return Err(fault(&"no certificate is in it"));
    }
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Half of what routers commonly keep a silent connection for.
const KEEPALIVE: Duration = Duration::from_secs(60);
