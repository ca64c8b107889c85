//! What the benchmarks and tests of real processes share: the example site with and without the layer, and children
//! that end with whoever started them.

pub mod child;
pub mod median;

use std::{convert::Infallible, net::SocketAddr, process::ExitCode};

use axum::{Router, ServiceExt, extract::Request, response::Response};
use tower::Service;
use tower_flashback::Flashback;

/// The example site with nothing in front.
pub fn bare() -> Router {
    flashback_example_site::site()
}

/// The example site behind the layer, with default settings.
///
/// # Errors
/// When the layer cannot be built.
pub fn layered() -> anyhow::Result<(Router, Flashback)> {
    let flashback = Flashback::builder().build()?;
    Ok((bare().layer(flashback.layer()), flashback))
}

/// Serves `site`, a router or a service around one, on a free loopback port, named on standard output, for ever.
///
/// # Errors
/// When the socket cannot be opened or fails.
pub async fn serve<S>(site: S) -> anyhow::Result<()>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, site.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// Success, if a figure holds its budget; says so.
#[must_use]
pub fn verdict(holds: bool, budget: &str) -> ExitCode {
    println!("{}: {budget}", if holds { "holds" } else { "MISSED" });
    if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
