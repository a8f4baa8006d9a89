//! Does to some messages what a node does to each. Whoever counts instructions runs it twice, with more and with fewer
//! messages: what both have in common falls out of the difference. `cargo e2e test instructions` does that, and compares
//! with `budget.yaml`.
//!
//! Called with the name of a case and a number of messages. One thread and no network: but for the seeds of hash maps a second
//! run does the same.

mod stand;

use std::hint::black_box;

use anyhow::{Context, Result, bail, ensure};
use chat_node::bus::{Envelope, Notice};
use chat_node::ids::{AccessVersion, ChannelId, MessageId, Position};
use chat_node::protocol::codec;
use chat_node::protocol::message::{Composed, Entry, Message, Place, User};

use crate::stand::Stand;

/// Bytes of a message's text.
const CONTENT: usize = 200;
/// The most messages. As many come over the bus whatever is asked for, so that making them falls out too.
const MESSAGES_MAX: u64 = 4_000;
/// Connections that follow the official channel.
const CROWD: usize = 1_000;
/// Pairs of users with a direct channel.
const PAIRS: usize = 100;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [case, count] = &args[..] else { bail!("wanted: a case and a number of messages") };
    let count: u64 = count.parse().context("the number of messages is none")?;
    ensure!(count <= MESSAGES_MAX, "at most {MESSAGES_MAX} messages");
    match case.as_str() {
        "fanOut" => on_a_stand(fan_out(count)),
        "direct" => on_a_stand(direct(count)),
        "encode" => encode(count),
        "decode" => decode(count),
        _ => bail!("there is no case `{case}`"),
    }
}

fn on_a_stand(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// From the bus to the sockets of all who follow one channel.
async fn fan_out(count: u64) -> Result<()> {
    let stand = Stand::new().await?;
    for number in 0..CROWD {
        stand.connect(&format!("user-{number}"), ChannelId::OFFICIAL).await?;
    }
    let envelopes = envelopes(ChannelId::OFFICIAL, |entry| Notice::entry(entry, None))?;
    for envelope in &envelopes[..count as usize] {
        stand.deliver(envelope, CROWD).await?;
    }
    Ok(())
}

/// From the bus to the socket of one who talks with another; many others are there.
async fn direct(count: u64) -> Result<()> {
    let stand = Stand::new().await?;
    let mut last = None;
    for number in 0..PAIRS {
        let users = [stand::user(&format!("ada-{number}"))?, stand::user(&format!("bob-{number}"))?];
        let channel = stand.introduce(&users).await?;
        stand.connect(users[1].id.as_str(), channel).await?;
        last = Some((channel, users.map(|user| user.id)));
    }
    let (channel, users) = last.context("nobody talks")?;
    for envelope in &envelopes(channel, |entry| Notice::entry(entry, Some(users.clone())))?[..count as usize]
    {
        stand.deliver(envelope, 1).await?;
    }
    Ok(())
}

/// A message becomes the frame that tells of it.
fn encode(count: u64) -> Result<()> {
    let message = message(ChannelId::OFFICIAL, MESSAGES_MAX)?;
    for _ in 0..count {
        black_box(codec::encode_entry(black_box(&message)));
    }
    Ok(())
}

/// What a client says becomes a command.
fn decode(count: u64) -> Result<()> {
    let text = format!(
        r#"{{"op":"send","channel_id":"7210000000000000001","nonce":"n-1234567890","content":"{}"}}"#,
        "x".repeat(CONTENT)
    );
    for _ in 0..count {
        let frame = codec::decode(black_box(&text)).map_err(|error| anyhow::anyhow!("{}", error.message))?;
        black_box(frame);
    }
    Ok(())
}

/// The first messages of a channel, as they come over the bus.
fn envelopes(channel: ChannelId, notice: impl Fn(Entry) -> Notice) -> Result<Vec<bytes::Bytes>> {
    let envelope = |position| Ok(Envelope::new(notice(message(channel, position)?)).to_bytes());
    (1..=MESSAGES_MAX).map(envelope).collect()
}

fn message(channel_id: ChannelId, position: u64) -> Result<Entry> {
    let place = Place {
        id: MessageId((1 << 60) | position),
        channel_id,
        position: Position(position),
        access: AccessVersion(0),
    };
    let composed = Composed { content: "x".repeat(CONTENT), ..Composed::default() };
    let author = User { id: "zoe".parse()?, name: "Zoe".to_owned() };
    Ok(Entry::Message(Message::new(place, author, format!("n-{position:010}"), composed)))
}
