//! People chat.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use crate::client::{OFFICIAL, User};
use crate::product::{DEMO, DEMO_NAMESPACE};
use crate::test::stored;
use crate::test::world::World;

pub async fn live_and_history(world: Arc<World>) -> Result<()> {
    let ada = world.sign_in("ada").await?;
    let bob = world.sign_in_elsewhere("bob", &[ada.server()?]).await?;
    let servers = [ada.server()?, bob.server()?];
    let pods = world.pods(DEMO_NAMESPACE, DEMO).await?;
    let known = world.server_ids(&pods).await?;
    ensure!(
        servers.iter().all(|server| known.contains(server)),
        "{servers:?} are not of the pods' {known:?}"
    );

    let text = unique("hello from ada");
    let ack = ada.send(OFFICIAL, &text).await?;
    let received = bob.receives(&text).await?;
    ensure!(received.author.id == "ada", "written by {:?}", received.author);
    ensure!(received.id == ack.id && received.position == ack.position.to_string(), "not as acknowledged");
    let answer = unique("hello from bob");
    bob.send(OFFICIAL, &answer).await?;
    ada.receives(&answer).await?;
    ada.check()?;
    bob.check()?;

    let carol = world.key.token(&User::new("carol", "Carol"))?;
    let history = world.gateway.history(&carol, OFFICIAL, 20).await?;
    let place = |text: &str| history.iter().position(|message| message.content == text);
    let (first, second) =
        (place(&text).context("not in history")?, place(&answer).context("not in history")?);
    ensure!(second < first, "history is not newest first");
    Ok(())
}

pub async fn stored_in_order(world: Arc<World>) -> Result<()> {
    let ada = world.sign_in("ada").await?;
    let bob = world.sign_in_elsewhere("bob", &[ada.server()?]).await?;
    let mut sent = Vec::new();
    for turn in 0..10 {
        let writer = if turn % 2 == 0 { &ada } else { &bob };
        let text = unique(&format!("turn {turn}"));
        sent.push((writer.send(OFFICIAL, &text).await?, text));
    }
    let cluster = world.demo().await?;
    let database = &cluster.spec.mongodb.database;
    let stored = stored::messages(&world.target.backends.mongodb_uri, database, OFFICIAL).await?;
    let bucket_ms = i64::try_from(cluster.spec.mongodb.bucket.as_millis())?;
    for (ack, text) in &sent {
        let message = stored.iter().find(|message| message.id.to_string() == ack.id);
        let message = message.with_context(|| format!("message {} is not in the store", ack.id))?;
        ensure!(message.content == *text, "message {} has another text in the store", ack.id);
        ensure!(message.position.to_string() == ack.position.to_string(), "not at its position");
    }
    for message in &stored {
        let expected = message.timestamp_ms() / bucket_ms;
        ensure!(message.bucket == expected, "message {} is in bucket {}", message.id, message.bucket);
    }
    for pair in stored.windows(2) {
        ensure!(pair[0].position < pair[1].position, "the store's positions are not in order");
        ensure!(pair[0].id < pair[1].id, "ids {} and {} do not grow", pair[0].id, pair[1].id);
        ensure!(pair[0].bucket <= pair[1].bucket, "buckets do not grow");
    }
    Ok(())
}

/// A text that was never said before.
fn unique(text: &str) -> String {
    format!("{text} {:08x}", fastrand::u32(..))
}
