//! The example site, bare, as an origin to stand behind the proxy in tests: every request is told on standard output,
//! in one line of method, path, range and status, so that a test can count what the origin was asked for.

use std::net::SocketAddr;

use axum::{
    extract::Request,
    http::header,
    middleware::{self, Next},
    response::Response,
};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("listening http://{}", listener.local_addr()?);
    axum::serve(
        listener,
        flashback_example_site::site().layer(middleware::from_fn(tell)),
    )
    .await
}

async fn tell(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let range = request
        .headers()
        .get(header::RANGE)
        .map_or("-", |range| range.to_str().unwrap_or("?"))
        .to_owned();
    let response = next.run(request).await;
    println!("{method} {path} {range} {}", response.status().as_u16());
    response
}
