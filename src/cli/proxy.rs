//! `flashback proxy`: any existing site behind the layer.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use tower_flashback::proxy::{
    Config, Upstream,
    config::{Endpoint, UpstreamUrl},
};

use super::{failure::Usage, serve::Site};

/// Put an existing site behind the layer.
///
/// Flags overrule the config file, which overrules the defaults that --print-config shows.
#[derive(Args, Debug)]
pub(super) struct Proxy {
    /// The site: scheme, host and port, such as http://127.0.0.1:3000.
    #[arg(long, value_name = "URL")]
    upstream: Option<UpstreamUrl>,
    /// Where visitors come in; port 0 lets the system choose.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where operators look: status, metrics, switches; or "off".
    #[arg(long, value_name = "ADDR")]
    admin: Option<Endpoint>,
    /// UDP address at which visitors learn their own; or "off".
    #[arg(long, value_name = "ADDR")]
    stun: Option<Endpoint>,
    /// Settings in TOML.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print all settings as commented TOML, and end.
    #[arg(long)]
    print_config: bool,
}

impl Proxy {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = self
            .config
            .as_deref()
            .map(Config::load)
            .transpose()?
            .unwrap_or_default();
        if let Some(upstream) = &self.upstream {
            config.origin.upstream = Some(upstream.clone());
        }
        config.server.listen = self.listen.unwrap_or(config.server.listen);
        config.server.admin = self.admin.unwrap_or(config.server.admin);
        config.server.stun = self.stun.unwrap_or(config.server.stun);
        config.check()?;
        Ok(config)
    }
}

pub(super) async fn run(arguments: Proxy) -> anyhow::Result<()> {
    let config = arguments.config()?;
    if arguments.print_config {
        print!("{config}");
        return Ok(());
    }
    let Some(url) = config.origin.upstream.clone() else {
        let text = "no upstream: name the site with --upstream URL, or with [origin] upstream in the config";
        return Err(Usage(text.to_owned()).into());
    };
    let upstream = Upstream::new(url, &config.origin)?;
    let site = Site::open(&config).await?;
    site.announce()?;
    site.serve(upstream).await
}
