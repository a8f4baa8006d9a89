//! What every bus must do, as bodies that take two nodes' ends of one.

use std::sync::Arc;
use std::time::Duration;

use chat_node::bus::{Audience, Bus, Envelope, Notice, Received, Topic};
use chat_node::ids::{AccessVersion, ChannelId, MessageId, Position, UserId};
use chat_node::protocol::message::{Composed, Entry, Message, Place, User};
use crds::RoutingMode;
use tokio::sync::mpsc;

/// How long something may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// One node's end of a bus.
pub struct End {
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// What it receives.
    pub received: mpsc::Receiver<Received>,
    /// When what it is asked for arrives.
    pub listens: Listens,
}

/// From when on a bus brings what it is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Listens {
    AtOnce,
    /// When it says so.
    Later,
}

impl End {
    /// Waits for the connection.
    pub async fn connected(&mut self) {
        self.wait_for(|received| *received == Received::Connected).await;
    }

    /// Asks for a user and waits until that holds.
    pub async fn attach(&mut self, user: &UserId) {
        self.bus.attach(user);
        self.listening(Topic::User(user.clone())).await;
    }

    /// Asks for a channel and waits until that holds.
    pub async fn follow(&mut self, channel: ChannelId) {
        self.bus.follow(channel);
        self.listening(Topic::Channel(channel)).await;
    }

    async fn listening(&mut self, topic: Topic) {
        if self.listens == Listens::AtOnce {
            return;
        }
        let holds =
            |received: &Received| matches!(received, Received::Listening(topics) if topics.contains(&topic));
        self.wait_for(holds).await;
    }

    /// Publishes for every node.
    pub fn tell_everyone(&self, envelope: &Envelope) {
        self.bus.publish(envelope, Audience::Everyone);
    }

    /// The next envelope.
    pub async fn envelope(&mut self) -> Envelope {
        match self.wait_for(|received| matches!(received, Received::Envelope(_))).await {
            Received::Envelope(envelope) => envelope,
            other => panic!("{other:?}"),
        }
    }

    /// Everything up to and with the `last` one; what came before it.
    async fn before(&mut self, last: &Envelope) -> Vec<Envelope> {
        let mut earlier = Vec::new();
        loop {
            let envelope = self.envelope().await;
            if envelope == *last {
                return earlier;
            }
            earlier.push(envelope);
        }
    }

    async fn wait_for(&mut self, wanted: impl Fn(&Received) -> bool) -> Received {
        let arrival = async {
            loop {
                match self.received.recv().await {
                    Some(received) if wanted(&received) => return received,
                    Some(_) => {}
                    None => panic!("the bus has ended; its health: {:?}", self.bus.health()),
                }
            }
        };
        match tokio::time::timeout(ARRIVES_WITHIN, arrival).await {
            Ok(received) => received,
            Err(_) => panic!("nothing came; the bus's health: {:?}", self.bus.health()),
        }
    }
}

/// What is for everyone reaches every node, each publisher's in order.
pub async fn what_is_for_everyone_reaches_every_node_in_order([mut one, mut two]: [End; 2]) {
    let envelopes: Vec<_> = (1..=200).map(to_everyone).collect();
    envelopes.iter().for_each(|envelope| one.tell_everyone(envelope));
    for envelope in &envelopes {
        assert_eq!(one.envelope().await, *envelope);
        assert_eq!(two.envelope().await, *envelope);
    }
}

/// What is for users reaches the nodes where they are, and where there is one key per user, no other.
pub async fn what_is_for_users_reaches_their_nodes([mut one, mut two]: [End; 2]) {
    let [ada, bob, eve] = users();
    one.attach(&ada).await;
    two.attach(&eve).await;
    let notice = to_everyone(2);
    let end = to_everyone(1);
    two.bus.publish(&notice, Audience::Users(&[ada, bob]));
    two.tell_everyone(&end);
    assert_eq!(one.envelope().await, notice);
    let by_user = two.bus.routing() == RoutingMode::User;
    let expected = if by_user { vec![] } else { vec![notice] };
    assert_eq!(two.before(&end).await, expected);
}

/// What happens in a channel reaches the nodes where it is followed, and where there is a key for that, no other.
pub async fn what_is_for_a_channel_reaches_its_followers_nodes([mut one, mut two]: [End; 2]) {
    let [ada, bob, eve] = users();
    let (ours, theirs) = (ChannelId(77), ChannelId(78));
    one.attach(&ada).await;
    one.follow(ours).await;
    two.attach(&eve).await;
    two.follow(theirs).await;
    let (message, end) = (to_everyone(2), to_everyone(1));
    two.bus.publish(&message, Audience::Channel { id: ours, members: &[ada, bob] });
    two.tell_everyone(&end);
    assert_eq!(one.envelope().await, message);
    let by_key = two.bus.routing() != RoutingMode::Static;
    let expected = if by_key { vec![] } else { vec![message] };
    assert_eq!(two.before(&end).await, expected);
}

/// A user's last connection to go takes the user away, an earlier one does not.
pub async fn a_user_is_reached_until_the_last_connection_is_gone([mut one, two]: [End; 2]) {
    let [ada, bob, eve] = users();
    one.attach(&ada).await;
    one.bus.attach(&ada);
    one.bus.detach(&ada);
    let audience = [ada.clone(), bob];
    let (first, second, end) = (to_everyone(1), to_everyone(2), to_everyone(3));
    two.bus.publish(&first, Audience::Users(&audience));
    assert_eq!(one.envelope().await, first);

    one.bus.detach(&ada);
    // What follows is done after it: changes are made in turn.
    one.attach(&eve).await;
    two.bus.publish(&second, Audience::Users(&audience));
    two.tell_everyone(&end);
    let by_user = two.bus.routing() == RoutingMode::User;
    let expected = if by_user { vec![] } else { vec![second] };
    assert_eq!(one.before(&end).await, expected);
}

/// A channel is reached as long as one of its followers is there.
pub async fn a_channel_is_reached_until_its_last_follower_is_gone([mut one, two]: [End; 2]) {
    let [ada, ..] = users();
    let channel = ChannelId(77);
    one.attach(&ada).await;
    one.follow(channel).await;
    one.bus.follow(channel);
    one.bus.unfollow(channel);
    let message = to_everyone(1);
    two.bus.publish(&message, Audience::Channel { id: channel, members: &[ada] });
    assert_eq!(one.envelope().await, message);
}

/// What [`to_everyone`] said.
pub fn number_of(envelope: &Envelope) -> u64 {
    match &envelope.notice {
        Notice::Entry { entry, .. } => entry.position().0,
        other => panic!("{other:?}"),
    }
}

/// An envelope that says a number.
pub fn to_everyone(position: u64) -> Envelope {
    Envelope::new(Notice::entry(Entry::Message(message(position)), None))
}

/// The same with other content.
pub fn with_content(content: &str, position: u64) -> Envelope {
    let message = Message { content: content.to_owned(), ..message(position) };
    Envelope::new(Notice::entry(Entry::Message(message), None))
}

fn message(position: u64) -> Message {
    let [ada, ..] = users();
    let (id, position, access) = (MessageId(position), Position(position), AccessVersion(0));
    let place = Place { id, channel_id: ChannelId::OFFICIAL, position, access };
    let composed = Composed { content: format!("message {position}"), ..Composed::default() };
    let author = User { id: ada, name: "Ada".to_owned() };
    Message::new(place, author, format!("n-{position}"), composed)
}

pub fn users() -> [UserId; 3] {
    ["ada", "bob", "eve"].map(|id| id.parse().unwrap())
}
