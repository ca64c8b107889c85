//! The example site behind one line of flashback.

use std::net::SocketAddr;

use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("listening http://{}", listener.local_addr()?);
    axum::serve(
        listener,
        app().into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await
}

/// The whole site.
fn app() -> Router {
    flashback_example_site::site()
}
