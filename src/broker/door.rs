//! The door: where a request of a page becomes a visitor's socket, or is turned away to plain HTTP.

use std::net::IpAddr;

use axum::{
    body::Body,
    extract::{FromRequestParts, ws::WebSocketUpgrade},
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};

use crate::broker::{
    limit::{NoSeat, Subscriber},
    service::{Broker, shed},
    session::Session,
    signal::MESSAGE_MAX,
};

/// A socket that counts; it does not any more when this is dropped.
struct Seat {
    broker: Broker,
    who: Subscriber,
}

impl Broker {
    /// Answers `GET /.flashback/signal`, or over HTTP/2 `CONNECT` with `:protocol = websocket` (RFC 8441): 101, or over
    /// HTTP/2 200, and a visitor's socket, or
    /// - 405 if the request is a `CONNECT` for anything else,
    /// - 426 if the request is no WebSocket handshake,
    /// - 403 if another site's page made it (its visitors' browsers would be ours to use),
    /// - 503 if no socket is free, in all or for this client, or the broker shuts down.
    ///
    /// `client` is who the site believes the request to be from, trusted proxies considered.
    pub async fn upgrade(&self, request: Request<Body>, client: IpAddr) -> Response<Body> {
        let (mut parts, _) = request.into_parts();
        let Ok(handshake) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else {
            return match parts.method {
                Method::CONNECT => refuse(StatusCode::METHOD_NOT_ALLOWED),
                _ => upgrade_required(parts.version),
            };
        };
        if !same_site(&parts.headers, &parts.uri) {
            shed("origin");
            return refuse(StatusCode::FORBIDDEN);
        }
        let seat = match self.seat(client) {
            Ok(seat) => seat,
            Err(reason) => {
                shed(reason);
                return refuse(StatusCode::SERVICE_UNAVAILABLE);
            }
        };
        let broker = self.clone();
        handshake
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(MESSAGE_MAX)
            .max_frame_size(MESSAGE_MAX)
            .on_upgrade(move |socket| async move {
                Session::new(socket, broker, client).run().await;
                drop(seat);
            })
    }

    fn seat(&self, client: IpAddr) -> Result<Seat, &'static str> {
        let (who, settings) = (Subscriber::from(client), self.settings());
        self.house(|house| {
            if house.closing {
                return Err("drain");
            }
            house
                .seats
                .take(who, settings.sockets, settings.sockets_per_address)
                .map_err(|no| match no {
                    NoSeat::Full(_) => "sockets",
                    NoSeat::Share(_) => "address",
                })
        })?;
        Ok(Seat {
            broker: self.clone(),
            who,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.broker.house(|house| house.seats.give_back(self.who));
        self.broker.left();
    }
}

/// Whether the page that asks is of this site. Browsers always name it (RFC 6455 §10.2); who does not is no browser,
/// and needs a token like everyone.
fn same_site(headers: &HeaderMap, uri: &Uri) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = uri.authority().map(|authority| authority.as_str()).or(host);
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    // Behind a proxy that ends TLS the scheme of the site is not ours, so the default ports of both are left out.
    matches!((origin, host), (Some((_, origin)), Some(host)) if plain(origin).eq_ignore_ascii_case(plain(host)))
}

fn plain(host: &str) -> &str {
    host.strip_suffix(":443")
        .or_else(|| host.strip_suffix(":80"))
        .unwrap_or(host)
}

fn refuse(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
        }
        _ => {}
    }
    response
}

/// HTTP/2 has no such headers (RFC 9113 §8.2.2): a browser that speaks it knows `CONNECT`.
fn upgrade_required(version: Version) -> Response<Body> {
    let mut response = refuse(StatusCode::UPGRADE_REQUIRED);
    if version < Version::HTTP_2 {
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    response
}

/// Bytes that wait for the words behind them, until all are sent: a packet. It grows only when it is used.
const WRITE_BUFFER: usize = 1_024;
/// One message and its head, and not the 128 KiB that are the default for each socket; a long one is read in parts.
const READ_BUFFER: usize = 1_024;
