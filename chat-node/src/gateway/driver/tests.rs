use axum::body::{Body, to_bytes};
use axum::http::Request as HttpRequest;
use axum::http::header::AUTHORIZATION;
use clap::Parser;
use crds::node::NodeState;
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::*;
use crate::admin::status::Status;
use crate::bus::in_process::InProcessBroker;
use crate::clock::System;
use crate::config::{Config, Options};
use crate::drain::Plan;
use crate::error::ErrorCode;
use crate::gateway::long_poll;
use crate::hub::room::Room;
use crate::ids::{ChannelId, Position, UserId};
use crate::metrics::Metrics;
use crate::node::Services;
use crate::node::engine::Engine;
use crate::protocol::frame::Draft;
use crate::protocol::message::Entry;
use crate::store::Store;
use crate::store::bucket::BucketLength;
use crate::store::embedded::Embedded;
use crate::store::faulty::Faulty;

async fn engine() -> Engine {
    engine_on(Arc::new(Embedded::in_memory(BucketLength::default(), Arc::new(System)).unwrap())).await
}

async fn engine_on(store: Arc<dyn Store>) -> Engine {
    engine_with_status(store).await.0
}

async fn engine_with_status(store: Arc<dyn Store>) -> (Engine, Arc<Status>) {
    let config = Config::load(Options::parse_from(["chat-node", "--data", "/nowhere"])).unwrap();
    let clock = Arc::new(System);
    let (bus, received) = InProcessBroker::default().join();
    let services = Services { store, bus: Arc::new(bus), received, clock };
    let metrics = Arc::new(Metrics::new().unwrap());
    let status = Arc::new(Status::new("node".to_owned(), Arc::clone(&metrics)));
    let engine = Engine::start(&config, services, (&status, &metrics)).await.unwrap();
    status.set_state(NodeState::Ready);
    (engine, status)
}

fn user(name: &str) -> User {
    User { id: name.parse().unwrap(), name: name.to_owned() }
}

fn token(engine: &Engine, name: &str) -> String {
    let now_s = engine.gateway.clock.wall_ms() / 1_000;
    engine.gateway.tokens.sign(&user(name), now_s, Duration::from_secs(60)).unwrap()
}

/// The direct channel of Ada and Bob, with so many messages.
async fn direct(engine: &Engine, messages: u32) -> ChannelId {
    for name in ["ada", "bob"] {
        engine.gateway.store.put_user(&user(name)).await.unwrap();
    }
    let bob: UserId = "bob".parse().unwrap();
    let channel = engine.gateway.channels.open_direct(&user("ada"), &bob).await.unwrap().id;
    for nonce in 0..messages {
        send(engine, channel, nonce).await;
    }
    channel
}

/// A way to a client that reads only when it is let, one frame at a time.
struct Wire {
    said: mpsc::Receiver<String>,
    read: mpsc::Sender<String>,
    fed: Option<String>,
}

impl Transport for Wire {
    async fn receive(&mut self) -> Incoming {
        self.said.recv().await.map_or(Incoming::Gone, Incoming::Text)
    }

    fn feed(&mut self, frame: Encoded) -> Fed {
        self.fed = Some(frame.as_str().to_owned());
        Fed::Full
    }

    fn write(&mut self) -> Flushed {
        match (self.read.try_reserve(), self.fed.take()) {
            (_, None) => Flushed::All,
            (Ok(place), Some(frame)) => {
                place.send(frame);
                Flushed::All
            }
            (Err(_), frame) => {
                self.fed = frame;
                if self.read.is_closed() { Flushed::Broken } else { Flushed::Stalled }
            }
        }
    }

    async fn writable(&mut self) {
        let _ = self.read.reserve().await;
    }

    async fn close(&mut self, _: CloseReason) {}
}

struct Client {
    say: mpsc::Sender<String>,
    frames: mpsc::Receiver<String>,
}

impl Client {
    async fn ready(engine: &Engine, name: &str, cursors: &str) -> Self {
        let (gateway, token) = (&engine.gateway, token(engine, name));
        let ((say, said), (read, frames)) = (mpsc::channel(8), mpsc::channel(8));
        let entered = gateway.enter(None, 16 * 1024).unwrap();
        tokio::spawn(drive(Arc::clone(gateway), Wire { said, read, fed: None }, entered));
        let mut client = Self { say, frames };
        client.until("hello").await;
        let identify = format!(r#"{{"op":"identify","token":"{token}","cursors":{cursors}}}"#);
        client.say.send(identify).await.unwrap();
        client.until("ready").await;
        client
    }

    /// Reads until a frame holds `text`; gives what came before it.
    async fn until(&mut self, text: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let next = tokio::time::timeout(Duration::from_secs(10), self.frames.recv()).await;
            let frame = next.expect("nothing comes").expect("closed");
            if frame.contains(text) {
                return before;
            }
            before.push(frame);
        }
    }
}

async fn send(engine: &Engine, channel_id: ChannelId, nonce: u32) {
    let draft =
        serde_json::json!({"channel_id": channel_id, "nonce": nonce.to_string(), "content": "x".repeat(500)});
    let draft: Draft = serde_json::from_value(draft).unwrap();
    engine.gateway.channels.send(&user("ada"), draft).await.unwrap();
}

#[tokio::test]
async fn the_replay_of_a_channel_breaks_off_when_it_is_withdrawn() {
    let engine = engine().await;
    let (channel, bob) = (direct(&engine, 200).await, "bob".parse().unwrap());
    let mut client = Client::ready(&engine, "bob", &format!(r#"{{"{channel}":"0"}}"#)).await;
    client.until(r#""position":"3""#).await;
    // It has read little of 100 KB, and no more fits in between: the replay stands still.
    engine.gateway.hub.connections.withdraw(&bob, channel);
    let before = client.until("channel_delete").await;
    assert!(before.len() < 100, "{} frames came before", before.len());
    send(&engine, ChannelId::OFFICIAL, 0).await;
    let after = client.until(r#""channel_id":"1""#).await;
    assert_eq!(after, Vec::<String>::new());
}

/// Bob's next poll.
async fn poll(engine: &Engine, cursors: &str) -> serde_json::Value {
    let request = HttpRequest::get(format!("/api/v1/poll?cursors={cursors}&wait=1"))
        .header(AUTHORIZATION, format!("Bearer {}", token(engine, "bob")))
        .body(Body::empty());
    let (routes, _) = long_poll::router(Arc::clone(&engine.gateway)).split_for_parts();
    let answer = routes.oneshot(request.unwrap()).await.unwrap();
    serde_json::from_slice(&to_bytes(answer.into_body(), 100_000).await.unwrap()).unwrap()
}

#[tokio::test]
async fn the_cursors_of_a_poll_are_those_of_who_has_read_its_frames() {
    let engine = engine().await;
    let (channel, bob) = (direct(&engine, 3).await, "bob".parse().unwrap());
    let hub = &engine.gateway.hub;
    let happens = async {
        let follows = |room: &Arc<Room>| room.users().contains(&bob);
        let room = loop {
            match hub.room(channel).filter(follows) {
                Some(room) => break room,
                None => tokio::task::yield_now().await,
            }
        };
        // All at once: an entry is queued for Bob, he is put out, misses another one, and is let in again.
        room.receive(Entry::Void { channel_id: channel, position: Position(4) });
        hub.connections.ids().into_iter().for_each(|connection| hub.leave(connection, [&channel]));
        hub.connections.withdraw(&bob, channel);
        room.receive(Entry::Void { channel_id: channel, position: Position(5) });
        let view = serde_json::json!({"id": channel, "kind": "direct", "name": "ada", "head": "5"});
        hub.connections.introduce(&bob, &serde_json::from_value(view).unwrap());
    };
    let cursors = format!("1:0,{channel}:3");
    let (answer, ()) = tokio::join!(poll(&engine, &cursors), happens);
    let types: Vec<_> = answer["frames"].as_array().unwrap().iter().map(|frame| &frame["type"]).collect();
    assert_eq!(types, ["void", "channel_delete", "channel_create"]);
    assert_eq!(answer["cursors"], format!("1:0,{channel}:5"));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_cut_off_from_the_store_lets_nobody_in_and_keeps_who_is_there() {
    let store = Embedded::in_memory(BucketLength::default(), Arc::new(System)).unwrap();
    let store = Faulty::new(Arc::new(store));
    let engine = engine_on(store.clone()).await;
    let enter = || engine.gateway.enter(None, 1_000);
    let here = enter().unwrap();
    store.set_down(true);
    let mut held = engine.gateway.ids.watch();
    held.wait_for(Option::is_none).await.unwrap();
    let refused = enter().unwrap_err();
    assert!(refused.code == ErrorCode::NodeFull && refused.message.contains("cut off"), "{refused:?}");
    assert_eq!(engine.gateway.hub.connections.count(), 1, "{here:?}");
    store.set_down(false);
    held.wait_for(Option::is_some).await.unwrap();
    assert!(enter().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_goes_is_not_ready_and_lets_clients_in_until_that_is_noticed() {
    let store = Embedded::in_memory(BucketLength::default(), Arc::new(System)).unwrap();
    let (engine, status) = engine_with_status(Arc::new(store)).await;
    let (gateway, plan) =
        (Arc::clone(&engine.gateway), Plan::behind_a_load_balancer(Duration::from_secs(20)));
    assert_eq!(status.not_ready(), None);
    let draining = tokio::spawn(engine.drain(plan));
    tokio::time::sleep(plan.notice - Duration::from_millis(100)).await;
    assert_eq!(status.not_ready().as_deref(), Some("the node is going away"));
    drop(gateway.enter(None, 1_024).unwrap());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let refused = gateway.enter(None, 1_024).unwrap_err();
    assert_eq!(refused.code, ErrorCode::NodeFull);
    assert!(refused.retry_after.is_some());
    draining.await.unwrap();
}
