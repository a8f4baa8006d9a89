//! Where a request comes from, also through proxies: `X-Forwarded-For` is believed as far as those who wrote it are
//! trusted.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// Most proxies that are followed.
const HOPS_MAX: usize = 8;

/// The address of a client as limits count it: an IPv6 network of 64 bits is one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientAddress(IpAddr);

/// Networks whose word on where a request comes from is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// The text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network: write for example 10.0.0.0/8 or fd00::/8")]
pub struct NotNetwork(String);

impl ClientAddress {
    /// The client with this address.
    pub fn new(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(six) => Self(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX)).into()),
            four @ IpAddr::V4(_) => Self(four),
        }
    }

    /// The address, or the network of an IPv6 address; `None`: it is not known.
    pub fn known(self) -> Option<IpAddr> {
        Some(self.0).filter(|address| !address.is_unspecified())
    }

    /// The client that a request comes from; one that is not known where it did not come over TCP.
    pub fn of(request: &Request, proxies: &TrustedProxies) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(Ipv6Addr::UNSPECIFIED.into(), |ConnectInfo(peer)| peer.ip());
        Self::new(proxies.origin(peer, request.headers()))
    }
}

impl std::fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl TrustedProxies {
    /// These networks.
    ///
    /// # Errors
    /// [`NotNetwork`].
    pub fn parse<T: AsRef<str>>(networks: &[T]) -> Result<Self, NotNetwork> {
        let parse =
            |text: &T| IpNet::from_str(text.as_ref()).map_err(|_| NotNetwork(text.as_ref().to_owned()));
        networks.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Goes back along the header, from the nearest on, as long as whoever wrote the entry is trusted.
    fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lists = headers.get_all(FORWARDED_FOR).into_iter().rev();
        let entries = lists.filter_map(|list| list.to_str().ok()).flat_map(|list| list.rsplit(','));
        let mut origin = peer;
        for entry in entries.take(HOPS_MAX) {
            let said = entry.trim().parse();
            match said {
                Ok(said) if self.trusts(origin) => origin = said,
                _ => break,
            }
        }
        origin
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let proxies = TrustedProxies::parse(&["10.0.0.0/8", "127.0.0.0/8"]).unwrap();
        let mut request = Request::new(Body::empty());
        for list in forwarded {
            request.headers_mut().append(FORWARDED_FOR, list.parse().unwrap());
        }
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 9)));
        ClientAddress::of(&request, &proxies).to_string()
    }

    #[test]
    fn who_is_not_trusted_cannot_name_another_address() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, 198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn trusted_proxies_are_followed_back_to_the_client() {
        assert_eq!(client("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.7", "127.0.0.9"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_client() {
        assert_eq!(client("2001:db8::1", &[]), client("2001:db8::ffff:1", &[]));
        assert_ne!(client("2001:db8::1", &[]), client("2001:db8:0:1::1", &[]));
    }

    #[test]
    fn what_is_no_network_is_named() {
        assert!(TrustedProxies::parse(&["10.0.0.0/8", "home"]).unwrap_err().to_string().contains("`home`"));
    }
}
