//! The connections of this node and whose they are.

mod handle;
mod orders;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::handle::Handle;
pub use self::handle::{FOLLOWED_MAX, Order};
pub use self::orders::OrderReceiver;
use super::send_queue::SendQueue;
use crate::ids::{ChannelId, UserId};
use crate::limits::Limits;
use crate::protocol::codec::Encoded;
use crate::protocol::frame::{ChannelKindView, ChannelView};

/// Names a connection on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Why a user's further connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyConnections;

/// Why a further connection is not let in, whosever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// The node has [`Limits::connections_per_node`].
    Node,
    /// The address has [`Limits::connections_per_address`].
    Address,
}

/// All connections of this node.
#[derive(Debug)]
pub struct Connections {
    limits: Arc<Limits>,
    next: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<ConnectionId, Handle>,
    /// Those whose user is known. Most users have one: a list for each would take more room than this.
    of_users: BTreeSet<(UserId, ConnectionId)>,
    from_address: BTreeMap<IpAddr, usize>,
}

impl Connections {
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        Self { limits, next: AtomicU64::new(1), state: Mutex::default() }
    }

    /// Enters a connection from an address; `None`: it has none that could be counted.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn enter(
        &self,
        queue: &SendQueue,
        address: Option<IpAddr>,
    ) -> Result<(ConnectionId, OrderReceiver), NoRoom> {
        let mut state = self.state();
        if state.open.len() >= self.limits.connections_per_node {
            return Err(NoRoom::Node);
        }
        if let Some(address) = address {
            let count = state.from_address.entry(address).or_default();
            if *count >= self.limits.connections_per_address {
                return Err(NoRoom::Address);
            }
            *count += 1;
        }
        let id = ConnectionId(self.next.fetch_add(1, Ordering::Relaxed));
        let (handle, orders) = Handle::new(queue.clone(), address);
        state.open.insert(id, handle);
        Ok((id, orders))
    }

    /// Says whose a connection is.
    ///
    /// # Errors
    /// [`TooManyConnections`].
    pub fn sign_in(&self, id: ConnectionId, user: &UserId) -> Result<(), TooManyConnections> {
        let mut state = self.state();
        let count = state.of(user).count();
        let Some(handle) = state.open.get_mut(&id) else { return Ok(()) };
        if count >= self.limits.connections_per_user {
            return Err(TooManyConnections);
        }
        handle.user = Some(user.clone());
        state.of_users.insert((user.clone(), id));
        Ok(())
    }

    /// Removes a connection.
    pub fn remove(&self, id: ConnectionId) {
        let mut state = self.state();
        let Some(Handle { address, user, .. }) = state.open.remove(&id) else { return };
        if let Some(address) = address {
            state.leave_address(address);
        }
        if let Some(user) = user {
            state.of_users.remove(&(user, id));
        }
    }

    /// Where a connection's frames are put.
    pub fn queue(&self, id: ConnectionId) -> Option<SendQueue> {
        self.state().open.get(&id).map(|handle| handle.queue.clone())
    }

    /// Whose a connection is.
    pub fn user_of(&self, id: ConnectionId) -> Option<UserId> {
        self.state().open.get(&id).and_then(|handle| handle.user.clone())
    }

    /// Notes that a connection is about to ask for its user's channels.
    pub fn asks(&self, id: ConnectionId) {
        if let Some(handle) = self.state().open.get_mut(&id) {
            handle.has_asked = true;
        }
    }

    /// Whether some connection of `user` may have asked already.
    pub fn has_asked(&self, user: &UserId) -> bool {
        self.state().handles_of(user).any(|handle| handle.has_asked)
    }

    /// Notes that a connection knows these channels, and tells it of others that were introduced meanwhile.
    pub fn knows(&self, id: ConnectionId, channels: impl Iterator<Item = ChannelId>) {
        if let Some(handle) = self.state().open.get_mut(&id) {
            handle.knows(channels);
        }
    }

    /// Tells those connections of `user` of a channel that do not know it; they follow it from its head on.
    pub fn introduce(&self, user: &UserId, channel: &ChannelView) {
        self.state().each_of(user, |handle| handle.introduce(channel));
    }

    /// Tells those connections of `user` that know a channel that it is none of the user's any more. They hear of it
    /// again if it is introduced again.
    pub fn withdraw(&self, user: &UserId, channel: ChannelId) {
        self.state().each_of(user, |handle| handle.withdraw(channel));
    }

    /// Tells one connection that a channel is none of its user's any more, if it knows the channel.
    pub fn withdraw_from(&self, id: ConnectionId, channel: ChannelId) {
        if let Some(handle) = self.state().open.get_mut(&id) {
            handle.withdraw(channel);
        }
    }

    /// Whether some connection of `user` has not been told of a channel of this kind, and may be.
    pub fn lacks(&self, user: &UserId, (channel, kind): (ChannelId, ChannelKindView)) -> bool {
        self.state().handles_of(user).any(|handle| handle.lacks(channel, kind))
    }

    /// Queues a frame for every connection of `user`.
    pub fn tell(&self, user: &UserId, frame: &Encoded) {
        self.state().handles_of(user).for_each(|handle| handle.queue.push(frame));
    }

    /// Tells a connection to send its client elsewhere.
    pub fn reconnect(&self, id: ConnectionId, delay: Duration) {
        if let Some(handle) = self.state().open.get(&id) {
            handle.order(Order::Reconnect(delay));
        }
    }

    /// Every connection.
    pub fn ids(&self) -> Vec<ConnectionId> {
        self.state().open.keys().copied().collect()
    }

    /// Every user with a connection.
    pub fn users(&self) -> Vec<UserId> {
        let mut users: Vec<_> = self.state().of_users.iter().map(|(user, _)| user.clone()).collect();
        users.dedup();
        users
    }

    /// Whether `user` has a connection.
    pub fn has(&self, user: &UserId) -> bool {
        self.state().of(user).next().is_some()
    }

    /// What waits to be written to all of them, in bytes.
    pub fn queued_bytes(&self) -> usize {
        let queues: Vec<_> = self.state().open.values().map(|handle| handle.queue.clone()).collect();
        queues.iter().map(SendQueue::bytes).sum()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.state().open.len()
    }

    /// The lock is never held across a panic, so a poisoned one holds a sound state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(&self, user: &UserId) -> impl Iterator<Item = ConnectionId> {
        let all = (user.clone(), ConnectionId(0))..=(user.clone(), ConnectionId(u64::MAX));
        self.of_users.range(all).map(|(_, id)| *id)
    }

    fn handles_of(&self, user: &UserId) -> impl Iterator<Item = &Handle> {
        self.of(user).filter_map(|id| self.open.get(&id))
    }

    fn each_of(&mut self, user: &UserId, tell: impl Fn(&mut Handle)) {
        let ids: Vec<_> = self.of(user).collect();
        for id in ids {
            if let Some(handle) = self.open.get_mut(&id) {
                tell(handle);
            }
        }
    }

    fn leave_address(&mut self, address: IpAddr) {
        if let Some(count) = self.from_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.from_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::orders::ORDERS_MAX;
    use super::*;
    use crate::hub::send_queue::send_queue;

    #[test]
    fn a_full_node_and_a_user_with_too_many_connections_are_refused() {
        let limits = Limits { connections_per_node: 3, connections_per_user: 2, ..Limits::default() };
        let connections = Connections::new(Arc::new(limits));
        let (queue, _reader) = send_queue(100);
        let ada: UserId = "ada".parse().unwrap();

        let entered: Vec<_> = (0..3).map(|_| connections.enter(&queue, None).unwrap()).collect();
        assert_eq!(connections.enter(&queue, None).unwrap_err(), NoRoom::Node);
        assert_eq!(connections.sign_in(entered[0].0, &ada), Ok(()));
        assert_eq!(connections.sign_in(entered[1].0, &ada), Ok(()));
        assert_eq!(connections.sign_in(entered[2].0, &ada), Err(TooManyConnections));

        connections.remove(entered[0].0);
        assert_eq!(connections.sign_in(entered[2].0, &ada), Ok(()));
        connections.remove(entered[1].0);
        connections.remove(entered[2].0);
        assert!(!connections.has(&ada));
        assert_eq!(connections.count(), 0);
    }

    #[test]
    fn a_user_with_two_connections_is_listed_once_until_both_are_gone() {
        let (connections, ada, first, _orders) = of_ada();
        let (queue, _reader) = send_queue(100);
        let second = connections.enter(&queue, None).unwrap().0;
        connections.sign_in(second, &ada).unwrap();
        assert_eq!(connections.users(), std::slice::from_ref(&ada));
        connections.remove(first);
        assert_eq!(connections.users(), [ada]);
        connections.remove(second);
        assert!(connections.users().is_empty());
    }

    #[test]
    fn an_address_has_so_many_connections_and_no_more() {
        let limits = Limits { connections_per_address: 2, ..Limits::default() };
        let connections = Connections::new(Arc::new(limits));
        let (queue, _reader) = send_queue(100);
        let [here, there] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().ok());

        let first = connections.enter(&queue, here).unwrap();
        connections.enter(&queue, here).unwrap();
        assert_eq!(connections.enter(&queue, here).unwrap_err(), NoRoom::Address);
        connections.enter(&queue, there).unwrap();
        connections.enter(&queue, None).unwrap();
        connections.remove(first.0);
        connections.enter(&queue, here).unwrap();
    }

    fn view(id: u64, kind: &str) -> ChannelView {
        let channel = serde_json::json!({"id": id.to_string(), "kind": kind, "name": "A", "head": "0"});
        serde_json::from_value(channel).unwrap()
    }

    /// A connection of Ada's that signs in.
    fn of_ada() -> (Connections, UserId, ConnectionId, OrderReceiver) {
        let connections = Connections::new(Arc::new(Limits::default()));
        let (queue, _reader) = send_queue(100);
        let ada: UserId = "ada".parse().unwrap();
        let (id, orders) = connections.enter(&queue, None).unwrap();
        connections.sign_in(id, &ada).unwrap();
        (connections, ada, id, orders)
    }

    fn introduced(orders: &OrderReceiver) -> Vec<u64> {
        let id = |order| match order {
            Order::Introduce(channel) => channel.id.0,
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| orders.try_recv()).map(id).collect()
    }

    #[test]
    fn a_withdrawn_channel_can_be_introduced_again() {
        let (connections, ada, id, orders) = of_ada();
        connections.knows(id, std::iter::empty());
        let official = view(1, "official");
        connections.introduce(&ada, &official);
        connections.introduce(&ada, &official);
        connections.withdraw(&ada, ChannelId::OFFICIAL);
        connections.withdraw(&ada, ChannelId::OFFICIAL);
        connections.introduce(&ada, &official);
        let introduce = Order::Introduce(Box::new(official));
        for expected in [introduce.clone(), Order::Withdraw(ChannelId::OFFICIAL), introduce] {
            assert_eq!(orders.try_recv(), Some(expected));
        }
        assert!(orders.try_recv().is_none());
    }

    #[test]
    fn what_is_introduced_during_the_sign_in_is_told_after_it_unless_it_is_known_then() {
        let (connections, ada, id, orders) = of_ada();
        for channel in 1..=ORDERS_MAX as u64 + 50 {
            assert!(connections.lacks(&ada, (ChannelId(channel), ChannelKindView::Group)));
            connections.introduce(&ada, &view(channel, "group"));
            assert!(!connections.lacks(&ada, (ChannelId(channel), ChannelKindView::Group)));
        }
        connections.withdraw(&ada, ChannelId(ORDERS_MAX as u64 + 50));
        assert!(introduced(&orders).is_empty());
        connections.knows(id, (1..=ORDERS_MAX as u64 + 47).map(ChannelId));
        assert_eq!(introduced(&orders), [ORDERS_MAX as u64 + 48, ORDERS_MAX as u64 + 49]);
        assert!(connections.lacks(&ada, (ChannelId(ORDERS_MAX as u64 + 50), ChannelKindView::Group)));
    }

    #[test]
    fn who_follows_as_many_channels_as_may_be_is_told_only_of_direct_ones() {
        let (connections, ada, id, orders) = of_ada();
        connections.introduce(&ada, &view(10_000, "group"));
        connections.knows(id, (1..=FOLLOWED_MAX as u64).map(ChannelId));
        assert!(!connections.lacks(&ada, (ChannelId(10_000), ChannelKindView::Group)));
        assert!(connections.lacks(&ada, (ChannelId(10_002), ChannelKindView::Direct)));
        connections.introduce(&ada, &view(10_001, "group"));
        connections.introduce(&ada, &view(10_002, "direct"));
        assert_eq!(introduced(&orders), [10_002]);
    }
}
