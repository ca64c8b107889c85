//! An origin behind TLS: trusted by the certificate that the settings name, and by no other.

use std::{net::SocketAddr, sync::Arc};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::harness::Proxy;

/// An origin that answers each connection once; its address and its certificate as PEM.
async fn origin() -> (SocketAddr, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![cert.der().clone()],
            PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A proxy that does not trust the certificate breaks off.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
                .await
                .unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (address, cert.pem())
}

#[tokio::test]
async fn an_https_origin_is_trusted_by_its_certificate_only() {
    let (address, pem) = origin().await;
    let file = std::env::temp_dir().join(format!("flashback-{}-{}.pem", std::process::id(), address.port()));
    std::fs::write(&file, pem).unwrap();
    let url = format!("https://localhost:{}", address.port());
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    let trusting = Proxy::to(&url, |config| config.origin.certificates = Some(file.clone())).await;
    let answer = trusting.say(ask).await;
    assert!(answer.ends_with("\r\n\r\nsecret"), "{answer}");

    let other = Proxy::to(&url, |_| {}).await;
    assert!(
        other.say(ask).await.starts_with("HTTP/1.1 502 "),
        "nobody vouches for this certificate"
    );
    let by_address = Proxy::to(&format!("https://{address}"), |config| {
        config.origin.certificates = Some(file.clone())
    })
    .await;
    assert!(
        by_address.say(ask).await.starts_with("HTTP/1.1 502 "),
        "the certificate is for another name"
    );
    std::fs::remove_file(file).unwrap();
}
