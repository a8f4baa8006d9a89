use clap::Parser;

use super::*;
use crate::admin::status::Status;
use crate::bus::in_process::InProcessBroker;
use crate::clock::System;
use crate::config::{Config, Options};
use crate::ids::UserId;
use crate::metrics::Metrics;
use crate::node::Services;
use crate::node::engine::Engine;
use crate::store::bucket::BucketLength;
use crate::store::embedded::Embedded;

async fn engine() -> Engine {
    let config = Config::load(Options::parse_from(["chat-node", "--data", "/nowhere"])).unwrap();
    let clock = Arc::new(System);
    let store = Arc::new(Embedded::in_memory(BucketLength::default(), clock.clone()).unwrap());
    let (bus, received) = InProcessBroker::default().join();
    let services = Services { store, bus: Arc::new(bus), received, clock };
    let metrics = Arc::new(Metrics::new().unwrap());
    let status = Arc::new(Status::new("node".to_owned(), Arc::clone(&metrics)));
    Engine::start(&config, services, (&status, &metrics)).await.unwrap()
}

fn user(name: &str) -> User {
    User { id: name.parse().unwrap(), name: name.to_owned() }
}

/// A way to a client that reads only when it is let.
struct Wire {
    said: mpsc::Receiver<String>,
    read: mpsc::Sender<String>,
}

impl Transport for Wire {
    async fn receive(&mut self) -> Incoming {
        self.said.recv().await.map_or(Incoming::Gone, |text| Incoming::Text(text.into()))
    }

    async fn feed(&mut self, frame: codec::Encoded) -> Result<(), Gone> {
        self.read.send(frame.as_str().to_owned()).await.map_err(|_| Gone)
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        Ok(())
    }

    async fn close(&mut self, _: CloseReason) {}
}

struct Client {
    say: mpsc::Sender<String>,
    frames: mpsc::Receiver<String>,
}

impl Client {
    async fn ready(engine: &Engine, name: &str, cursors: &str) -> Self {
        let gateway = &engine.gateway;
        let token =
            gateway.tokens.sign(&user(name), gateway.clock.wall_ms() / 1_000, Duration::from_secs(60));
        let ((say, said), (read, frames)) = (mpsc::channel(8), mpsc::channel(8));
        let entered = gateway.enter(None, 16 * 1024).unwrap();
        tokio::spawn(drive(Arc::clone(gateway), Wire { said, read }, entered));
        let mut client = Self { say, frames };
        client.until("hello").await;
        let identify = format!(r#"{{"op":"identify","token":"{}","cursors":{cursors}}}"#, token.unwrap());
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
    for name in ["ada", "bob"] {
        engine.gateway.store.put_user(&user(name)).await.unwrap();
    }
    let bob: UserId = "bob".parse().unwrap();
    let channel = engine.gateway.channels.open_direct(&user("ada"), &bob).await.unwrap().id;
    for nonce in 0..200 {
        send(&engine, channel, nonce).await;
    }
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
