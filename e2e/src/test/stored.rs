//! Messages as they lie in the store, read without VibeTalk.

use anyhow::{Context, Result};
use futures::TryStreamExt;
use mongodb::Client;
use mongodb::bson::{Bson, Document, doc};

use crate::traffic::Kept;

/// Where snowflakes count from: 2025-01-01, in ms since the Unix epoch.
const EPOCH_MS: i64 = 1_735_689_600_000;

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: i64,
    /// Its bucket.
    pub bucket: i64,
    /// Its position in the channel.
    pub position: i64,
    /// The text.
    pub content: String,
}

impl Stored {
    /// When it was written, by its id, in ms since the Unix epoch.
    pub fn timestamp_ms(&self) -> i64 {
        (self.id >> 22) + EPOCH_MS
    }
}

impl TryFrom<Stored> for Kept {
    type Error = anyhow::Error;

    fn try_from(stored: Stored) -> Result<Self> {
        let position = stored.position.try_into().context("a position is negative")?;
        Ok(Self { id: stored.id.to_string(), position, content: stored.content })
    }
}

/// The messages of a channel in the order of their positions.
pub async fn messages(uri: &str, database: &str, channel: &str) -> Result<Vec<Stored>> {
    let client = Client::with_uri_str(uri).await.context("cannot use the store's URI")?;
    let entries = client.database(database).collection::<Document>("entries");
    let channel: i64 = channel.parse()?;
    let found =
        entries.find(doc! { "channel": channel, "kind": "message" }).sort(doc! { "position": 1 }).await?;
    let documents: Vec<Document> = found.try_collect().await.context("cannot read the store")?;
    documents.iter().map(stored).collect()
}

fn stored(document: &Document) -> Result<Stored> {
    let number = |key: &str| match document.get(key) {
        Some(Bson::Int64(number)) => Ok(*number),
        Some(Bson::Int32(number)) => Ok(i64::from(*number)),
        other => anyhow::bail!("{key} is {other:?} in {document}"),
    };
    Ok(Stored {
        id: number("_id")?,
        bucket: number("bucket")?,
        position: number("position")?,
        content: document.get_str("content").with_context(|| format!("no text in {document}"))?.to_owned(),
    })
}
