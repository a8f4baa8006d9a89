//! Nodes that share a store and a bus, and clients that see what their connections are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crds::{Posting, RoutingMode, TopologyPlan};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::bus::in_process::InProcessBroker;
use crate::bus::{Bus, Notice, Received};
use crate::channels::follow::Follower;
use crate::channels::groups::Membership;
use crate::channels::history::PageSize;
use crate::channels::{Channels, Foundation};
use crate::clock::System;
use crate::error::{ErrorCode, Problem};
use crate::groups::{GroupSettings, Role};
use crate::hub::Hub;
use crate::hub::connections::{ConnectionId, Order, OrderReceiver};
use crate::hub::send_queue::{SendQueue, SendQueueReader, send_queue};
use crate::ids::{ChannelId, GroupId, Position, UserId, lease};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::protocol::frame::Draft;
use crate::protocol::message::{Composed, Message, User};
use crate::store::bucket::BucketLength;
use crate::store::embedded::Embedded;
use crate::store::faulty::Faulty;
use crate::store::{Around, Store, UserStore};

/// Longer than anything takes that is not waited for by a timer of minutes.
const SETTLED: Duration = Duration::from_secs(3);

pub struct World {
    pub store: Arc<Faulty>,
    broker: InProcessBroker,
}

pub struct Node {
    pub channels: Arc<Channels>,
    hub: Arc<Hub>,
    bus: Arc<dyn Bus>,
    deaf: Arc<AtomicBool>,
}

pub struct Client {
    pub user: User,
    pub views: Vec<crate::protocol::frame::ChannelView>,
    connection: ConnectionId,
    queue: SendQueue,
    following: BTreeSet<ChannelId>,
    orders: OrderReceiver,
    reader: SendQueueReader,
}

impl World {
    pub async fn new() -> Self {
        Self::routed(RoutingMode::User).await
    }

    pub async fn routed(routing: RoutingMode) -> Self {
        let store = Embedded::in_memory(BucketLength::default(), Arc::new(System)).unwrap();
        store.prepare("Official").await.unwrap();
        let broker = InProcessBroker::with(TopologyPlan { epoch: 1, partitions: 4, routing });
        Self { store: Faulty::new(Arc::new(store)), broker }
    }

    pub async fn node(&self, name: &str) -> Node {
        self.node_with(name, Posting::Everyone).await
    }

    /// A node whose settings say who may write in the official channel.
    pub async fn node_with(&self, name: &str, posting: Posting) -> Node {
        let (bus, received) = self.broker.join();
        let store: Arc<dyn Store> = self.store.clone();
        let stop = CancellationToken::new();
        let (ids, _) = lease::spawn(Arc::clone(&store), Arc::new(System), name.to_owned(), stop);
        ids.watch().wait_for(Option::is_some).await.unwrap();
        let hub = Arc::new(Hub::new(Arc::new(Limits::default())));
        let (bus, metrics): (Arc<dyn Bus>, _) = (Arc::new(bus), Arc::new(Metrics::new().unwrap()));
        let foundation =
            Foundation { store, ids, hub: Arc::clone(&hub), bus: Arc::clone(&bus), metrics, posting };
        let node = Node { channels: Channels::new(foundation), hub, bus, deaf: Arc::default() };
        tokio::spawn(receive(Arc::clone(&node.channels), Arc::clone(&node.deaf), received));
        node.channels.open_official().await.unwrap();
        node
    }

    /// A group of `owner`'s with these members, and its first channel.
    pub async fn group(&self, node: &Node, owner: &str, members: &[&str]) -> (GroupId, ChannelId) {
        for id in members.iter().chain([&owner]) {
            self.store.put_user(&user(id)).await.unwrap();
        }
        let settings = GroupSettings { name: "Friends".to_owned(), topic: String::new() };
        let group = node.channels.create_group(&user(owner), settings).await.unwrap().id;
        for id in members {
            node.put(owner, group, (id, Role::Member)).await.unwrap();
        }
        let channels = node.channels.channels_of(&user(owner).id, group).await.unwrap();
        (group, channels[0].id)
    }
}

async fn receive(channels: Arc<Channels>, deaf: Arc<AtomicBool>, mut received: mpsc::Receiver<Received>) {
    while let Some(received) = received.recv().await {
        let is_change = matches!(
            &received,
            Received::Envelope(envelope) if matches!(envelope.notice, Notice::GroupChanged { .. })
        );
        if !(is_change && deaf.load(Ordering::SeqCst)) {
            channels.receive(received);
        }
    }
}

impl Node {
    /// From now on it does not hear that groups change.
    pub fn miss_changes_of_groups(&self) {
        self.deaf.store(true, Ordering::SeqCst);
    }

    pub async fn connect(&self, id: &str) -> Client {
        self.resume(id, &BTreeMap::new()).await
    }

    /// A client with cursors.
    pub async fn resume(&self, id: &str, cursors: &BTreeMap<ChannelId, Position>) -> Client {
        let (queue, reader) = send_queue(1 << 20);
        let (connection, orders) = self.hub.connections.enter(&queue, None).unwrap();
        let user = user(id);
        self.hub.connections.sign_in(connection, &user.id).unwrap();
        self.bus.attach(&user.id);
        let views = self.channels.of_user(&user.id, cursors).await.unwrap();
        self.hub.connections.knows(connection, views.iter().map(|view| view.id));
        let following = views.iter().map(|view| view.id).collect();
        let client = Client { user, views, connection, queue, following, orders, reader };
        for view in &client.views {
            let after = cursors.get(&view.id).copied().unwrap_or(view.head);
            self.channels.follow(&client.follower(), view.id, after).await.unwrap();
        }
        client
    }

    pub async fn send(&self, author: &str, channel: ChannelId, text: &str) -> Result<Message, Problem> {
        let composed = Composed { content: text.to_owned(), ..Composed::default() };
        let draft = Draft { channel_id: channel, nonce: format!("n-{text}"), composed };
        self.channels.send(&user(author), draft).await
    }

    /// Makes the connections of a user forget a channel.
    pub fn forget(&self, id: &str, channel: ChannelId) {
        self.hub.connections.withdraw(&user(id).id, channel);
    }

    pub async fn put(&self, by: &str, group: GroupId, (id, role): (&str, Role)) -> Result<(), Problem> {
        let membership = Membership { user_id: id.parse().unwrap(), role };
        self.channels.put_member(&user(by).id, group, membership).await.map(drop)
    }

    pub async fn kick(&self, by: &str, group: GroupId, id: &str) -> Result<(), Problem> {
        self.channels.remove_member(&user(by).id, group, &id.parse().unwrap()).await
    }

    /// What a user reads in a channel, oldest first.
    pub async fn reads(&self, id: &str, channel: ChannelId) -> Result<Vec<Message>, Problem> {
        let page = (Around::End, PageSize::default());
        let mut messages = self.channels.history(&user(id).id, channel, page).await?;
        messages.reverse();
        Ok(messages)
    }
}

impl Client {
    /// What came, after some time: events, and `introduce` or `withdraw` for what the node told the connection.
    pub async fn events(&mut self) -> Vec<Value> {
        tokio::time::sleep(SETTLED).await;
        let frames = self.reader.take_now();
        frames.iter().map(|frame| serde_json::from_str(frame.as_str()).unwrap()).collect()
    }

    /// The texts of the messages that came.
    pub async fn messages(&mut self) -> Vec<String> {
        let events = self.events().await;
        let texts = events.iter().filter(|event| event["type"] == "message_create");
        texts.map(|event| event["message"]["content"].as_str().unwrap().to_owned()).collect()
    }

    /// Follows what was introduced, and forgets what was withdrawn, as a session would; gives both.
    pub async fn obey(&mut self, node: &Node) -> (Vec<ChannelId>, Vec<ChannelId>) {
        tokio::time::sleep(SETTLED).await;
        let (mut introduced, mut withdrawn) = (Vec::new(), Vec::new());
        while let Some(order) = self.orders.try_recv() {
            match order {
                // What came before it knew its channels is no news, as for a session.
                Order::Introduce(new) if self.following.insert(new.id) => {
                    introduced.push(new.id);
                    node.channels.follow(&self.follower(), new.id, new.head).await.unwrap();
                }
                Order::Withdraw(channel) => {
                    self.following.remove(&channel);
                    withdrawn.push(channel);
                }
                Order::Introduce(_) | Order::Reconnect(_) => {}
            }
        }
        (introduced, withdrawn)
    }

    /// The head of the next channel that is introduced.
    pub async fn introduced_head(&mut self) -> Position {
        loop {
            match self.orders.recv().await.expect("the connection is forgotten") {
                Order::Introduce(new) => return new.head,
                Order::Withdraw(_) | Order::Reconnect(_) => {}
            }
        }
    }

    pub fn follower(&self) -> Follower {
        let (user, queue) = (self.user.id.clone(), self.queue.clone());
        Follower { connection: self.connection, user, queue }
    }
}

pub fn user(id: &str) -> User {
    User { id: id.parse::<UserId>().unwrap(), name: id.to_uppercase() }
}

/// Why something was refused.
pub fn code<T: std::fmt::Debug>(result: Result<T, Problem>) -> ErrorCode {
    result.unwrap_err().code
}
