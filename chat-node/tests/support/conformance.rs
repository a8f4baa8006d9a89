//! What every bus must do, as bodies that take two nodes' ends of one.

use std::time::Duration;

use chat_node::bus::{Bus, Envelope, Notice, Received};
use chat_node::ids::{ChannelId, MessageId, Position, UserId};
use chat_node::protocol::message::{Message, User};
use tokio::sync::mpsc;

/// How long something may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// One node's end of a bus.
pub struct End {
    /// The bus.
    pub bus: Box<dyn Bus>,
    /// What it receives.
    pub received: mpsc::Receiver<Received>,
}

impl End {
    /// Waits for the connection.
    pub async fn connected(&mut self) {
        self.wait_for(|received| *received == Received::Connected).await;
    }

    /// Asks for a user and waits until that holds.
    pub async fn attach(&mut self, user: &UserId) {
        self.bus.attach(user);
        self.wait_for(|received| matches!(received, Received::Attached(users) if users.contains(user))).await;
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
    envelopes.iter().for_each(|envelope| one.bus.publish(envelope));
    for envelope in &envelopes {
        assert_eq!(one.envelope().await, *envelope);
        assert_eq!(two.envelope().await, *envelope);
    }
}

/// What is for two users reaches the nodes where they are, and no other.
pub async fn what_is_for_users_reaches_only_their_nodes([mut one, mut two]: [End; 2]) {
    let [ada, bob, eve] = users();
    one.attach(&ada).await;
    two.attach(&eve).await;
    let direct = to_users(&[ada, bob]);
    let end = to_everyone(1);
    two.bus.publish(&direct);
    two.bus.publish(&end);
    assert_eq!(one.envelope().await, direct);
    assert_eq!(two.before(&end).await, []);
}

/// A user's last connection to go takes the user away, an earlier one does not.
pub async fn a_user_is_reached_until_the_last_connection_is_gone([mut one, two]: [End; 2]) {
    let [ada, bob, eve] = users();
    one.attach(&ada).await;
    one.bus.attach(&ada);
    one.bus.detach(&ada);
    let first = to_users(&[ada.clone(), bob.clone()]);
    two.bus.publish(&first);
    assert_eq!(one.envelope().await, first);

    one.bus.detach(&ada);
    // What follows is done after it: changes are made in turn.
    one.attach(&eve).await;
    two.bus.publish(&to_users(&[ada, bob]));
    let end = to_everyone(2);
    two.bus.publish(&end);
    assert_eq!(one.before(&end).await, []);
}

/// An envelope for the official channel.
pub fn to_everyone(position: u64) -> Envelope {
    Envelope::new(Notice::Message { message: message(position), users: None })
}

/// An envelope for two users.
pub fn to_users(users: &[UserId; 2]) -> Envelope {
    Envelope::new(Notice::Message { message: message(1), users: Some(users.clone()) })
}

fn message(position: u64) -> Message {
    let [ada, ..] = users();
    Message {
        id: MessageId(position),
        channel_id: ChannelId::OFFICIAL,
        position: Position(position),
        author: User { id: ada, name: "Ada".to_owned() },
        content: format!("message {position}"),
        nonce: format!("n-{position}"),
        timestamp_ms: position,
    }
}

fn users() -> [UserId; 3] {
    ["ada", "bob", "eve"].map(|id| id.parse().unwrap())
}
