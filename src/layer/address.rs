//! Whose request it is: the visitor's address, as the server that accepted the connection tells it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::Extensions;

/// The address of the visitor, as a request extension.
///
/// Servers that are not [`axum::serve()`] insert it into each request; axum's own `ConnectInfo<SocketAddr>`
/// (`into_make_service_with_connect_info::<SocketAddr>()`) is understood as well. Behind another proxy, insert the address
/// that this proxy vouches for; the layer itself trusts no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// The visitor's address, IPv4 in its own form even on a socket that speaks both.
pub(super) fn visitor(extensions: &Extensions) -> Option<IpAddr> {
    let addr = extensions
        .get::<PeerAddr>()
        .map(|peer| peer.0)
        .or_else(|| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0))?;
    Some(addr.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_the_address_it_maps() {
        let mut extensions = Extensions::new();
        assert_eq!(visitor(&extensions), None);
        extensions.insert(ConnectInfo(
            "[::ffff:192.0.2.7]:4711"
                .parse::<SocketAddr>()
                .expect("is an address"),
        ));
        assert_eq!(
            visitor(&extensions),
            Some("192.0.2.7".parse().expect("is an address"))
        );
        extensions.insert(PeerAddr("[2001:db8::1]:1".parse().expect("is an address")));
        assert_eq!(
            visitor(&extensions),
            Some("2001:db8::1".parse().expect("is an address")),
            "the explicit one wins"
        );
    }
}
