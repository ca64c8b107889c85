//! The example site behind one line of flashback.
//!
//! ```text
//! cargo run --release -p axum-site
//! ```
//!
//! While it is calm, it is the bare site, byte for byte. `POST /crowd` on the admin address makes a page hot by hand:
//!
//! ```text
//! curl -H 'content-type: application/json' -d '{"url":"http://127.0.0.1:3000/","mode":"hot"}' http://127.0.0.1:3001/crowd
//! ```

use std::{error::Error, net::SocketAddr};

use axum::Router;
use tokio::net::TcpListener;
use tower_flashback::Flashback;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let flashback = Flashback::builder().build()?;

    // The operators' routes, on an address that only operators reach.
    let operators = listen(3001).await?;
    println!("admin http://{}", operators.local_addr()?);
    let admin = flashback.admin();
    tokio::spawn(async move { axum::serve(operators, admin).await });

    let visitors = listen(3000).await?;
    println!("listening http://{}", visitors.local_addr()?);
    // The layer tells one visitor from another by the address of the connection.
    let service = app(&flashback).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(visitors, service).await?;
    Ok(())
}

/// The whole site.
fn app(flashback: &Flashback) -> Router {
    flashback_example_site::site().layer(flashback.layer())
}

async fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await
}
