//! All that the clients of a run share. They live on one thread.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::agenda::Agenda;
use super::client::Client;
use super::tally::Tally;
use crate::load::cast::{Cast, UserNumber};
use crate::load::oracle::Oracle;
use crate::load::tls::Tls;
use crate::load::wire::Reader;

/// Room for what one read takes in.
pub const BUFFER_BYTES: usize = 256 * 1024;
/// Users behind one address of loopback: fewer than ports are left to it, and than a chat node takes from one address.
const USERS_OF_ADDRESS: u32 = 4_000;

/// The way in.
#[derive(Clone, Debug)]
pub struct Way {
    /// Where connections go; each user begins at another one, and goes on to the next when it fails.
    pub addresses: Vec<SocketAddr>,
    /// What the `Host` header says.
    pub host: String,
    /// How it is encrypted, if it is.
    pub tls: Option<Tls>,
}

impl Way {
    /// A way that is not encrypted.
    pub fn plain(addresses: Vec<SocketAddr>, host: String) -> Self {
        Self { addresses, host, tls: None }
    }

    /// Where a user's connection goes, by the number of tries before.
    pub fn address(&self, UserNumber(user): UserNumber, tries: u32) -> SocketAddr {
        let place = user.wrapping_add(tries) as usize % self.addresses.len();
        self.addresses[place]
    }

    /// Where a user's connection comes from: on loopback there are as many addresses as wanted.
    pub fn source(&self, UserNumber(user): UserNumber, to: SocketAddr) -> Option<SocketAddr> {
        let number = user / USERS_OF_ADDRESS;
        let own = Ipv4Addr::new(127, 0, 1 + (number / 250) as u8, 1 + (number % 250) as u8);
        (to.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST)).then_some(SocketAddr::new(own.into(), 0))
    }
}

/// All that the clients of a run share.
#[derive(Debug)]
pub struct World {
    /// Who is in which channel.
    pub cast: Cast,
    /// The way in.
    pub way: Way,
    /// Each user's token.
    pub tokens: Vec<String>,
    /// The clients, by user.
    pub clients: Vec<Client>,
    /// What must not happen.
    pub oracle: RefCell<Oracle>,
    /// Understands servers.
    pub reader: RefCell<Reader>,
    /// What is read lands here, and is taken from here at once: no connection has a buffer of its own.
    pub buffer: RefCell<Box<[u8]>>,
    /// What was counted.
    pub tally: RefCell<Tally>,
    /// What is to be done later.
    pub agenda: RefCell<Agenda>,
    /// Chance that nothing depends on.
    pub rng: RefCell<Rng>,
    /// When the traffic began.
    pub begin: Cell<Instant>,
}

impl World {
    /// Time since the traffic began.
    pub fn passed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begin.get())
    }

    /// A user's client.
    pub fn client(&self, UserNumber(user): UserNumber) -> &Client {
        &self.clients[user as usize]
    }

    /// All users.
    pub fn users(&self) -> impl Iterator<Item = UserNumber> + use<> {
        (0..self.clients.len() as u32).map(UserNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(addresses: &[&str]) -> Way {
        Way::plain(addresses.iter().map(|one| one.parse().unwrap()).collect(), "h".to_owned())
    }

    #[test]
    fn users_are_spread_over_nodes_and_go_on_to_the_next() {
        let way = way(&["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]);
        let ports = |tries| [0, 1, 2, 3].map(|user| way.address(UserNumber(user), tries).port());
        assert_eq!((ports(0), ports(1)), ([1, 2, 3, 1], [2, 3, 1, 2]));
    }

    #[test]
    fn only_loopback_has_many_sources_and_none_is_used_too_often() {
        let way = way(&["127.0.0.1:1", "10.0.0.1:80"]);
        assert_eq!(way.source(UserNumber(1), way.addresses[1]), None);
        let mut users = std::collections::BTreeMap::<_, u32>::new();
        for user in 0..200_000 {
            *users.entry(way.source(UserNumber(user), way.addresses[0]).unwrap().ip()).or_default() += 1;
        }
        assert!(users.values().all(|count| *count <= 5_000) && users.len() == 50);
    }
}
