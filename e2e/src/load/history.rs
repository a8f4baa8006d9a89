//! Reads every channel of a run once more, by REST, and compares it with what clients got.

use anyhow::{Context, Result};
use futures::stream::{self, StreamExt, TryStreamExt};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::cast::{Cast, RoomNumber, UserNumber};
use super::oracle::{Kept, Oracle};
use super::rest::Rest;
use super::wire::digest;

/// Channels that are read at the same time.
const AT_ONCE: usize = 16;

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// Channels in which something was said.
    pub channels: u64,
    /// Messages in them.
    pub messages: u64,
}

#[derive(Deserialize)]
struct Page {
    messages: Vec<Message>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    position: String,
    author: Author,
    content: String,
    nonce: String,
}

#[derive(Deserialize)]
struct Author {
    id: String,
}

/// Compares all channels in which something was said.
pub async fn compare(
    oracle: &mut Oracle,
    (cast, tokens, rest): (&Cast, &[String], &Rest),
) -> Result<Compared> {
    let rooms = (0..cast.rooms()).map(RoomNumber);
    let talked = rooms.filter_map(|room| Some((room, oracle.base(room)?)));
    let talked: Vec<_> = talked.filter(|(room, base)| oracle.last(*room) > *base).collect();
    let reads = talked.into_iter().map(|(room, base)| {
        // Not always the same user: each may ask only so often.
        let reader = cast.reader(room, room.0);
        let (id, token) = (oracle.id(room), &tokens[reader.0 as usize]);
        async move { Ok::<_, anyhow::Error>((room, reader, read(rest, token, (id, base)).await?)) }
    });
    let kept: Vec<(RoomNumber, UserNumber, Vec<Kept>)> =
        stream::iter(reads).buffered(AT_ONCE).try_collect().await.context("the history cannot be read")?;
    let mut compared = Compared::default();
    for (room, reader, kept) in kept {
        compared.channels += 1;
        compared.messages += kept.len() as u64;
        oracle.compare(room, (reader, &kept));
    }
    Ok(compared)
}

/// All messages of a channel behind a position.
async fn read(rest: &Rest, token: &str, (channel, base): (u64, u64)) -> Result<Vec<Kept>> {
    let mut all = Vec::new();
    let mut before = String::new();
    loop {
        let path = format!("channels/{channel}/messages?limit=100{before}");
        let page: Page = rest.ask(Method::GET, &path, (token, None)).await?;
        for message in &page.messages {
            let kept = kept(message)?;
            if kept.position <= base {
                return Ok(all);
            }
            all.push(kept);
        }
        match page.next {
            Some(next) => before = format!("&before={next}"),
            None => return Ok(all),
        }
    }
}

fn kept(message: &Message) -> Result<Kept> {
    let Message { id, position, author, content, nonce } = message;
    let id = id.parse().with_context(|| format!("the id `{id}` is no number"))?;
    let position = position.parse().with_context(|| format!("the position `{position}` is no number"))?;
    Ok(Kept { position, digest: digest(id, &author.id, (nonce, content)) })
}
