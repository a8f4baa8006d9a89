//! The channels that users talk in beside the official one.

use anyhow::{Context, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Place;
use crate::client::{Gateway, User};

/// A channel's id, and who is in it by their numbers.
pub type Room = (String, std::ops::Range<usize>);

#[derive(Deserialize)]
struct Id {
    id: String,
}

/// Makes a group of the first `in_group` users, and a direct channel for every two of all; who is left over has none.
pub async fn make(place: &Place, users: &[User], in_group: usize) -> Result<Vec<Room>> {
    let mut rooms = Vec::new();
    if in_group > 1 {
        rooms.push((group(place, &users[..in_group]).await?, 0..in_group));
    }
    for first in (0..users.len().saturating_sub(1)).step_by(2) {
        rooms.push((pair(place, &users[first..first + 2]).await?, first..first + 2));
    }
    Ok(rooms)
}

async fn group(place: &Place, users: &[User]) -> Result<String> {
    #[derive(Deserialize)]
    struct Channels {
        channels: Vec<Id>,
    }
    let Place { gateway, key } = place;
    let token = key.token(&users[0])?;
    let group: Id =
        gateway.ask(Method::POST, "groups", (&token, Some(&json!({ "name": "Friends" })))).await?;
    for user in &users[1..] {
        let path = format!("groups/{}/members/{}", group.id, user.id);
        let body = json!({ "role": "member" });
        let _: Value = gateway.ask(Method::PUT, &path, (&token, Some(&body))).await?;
    }
    let path = format!("groups/{}/channels", group.id);
    let found: Channels = gateway.ask(Method::GET, &path, (&token, None)).await?;
    found.channels.into_iter().next().map(|channel| channel.id).context("the group has no channel")
}

async fn pair(place: &Place, users: &[User]) -> Result<String> {
    let gateway: &Gateway = &place.gateway;
    let body = json!({ "recipient_id": users[1].id });
    let token = place.key.token(&users[0])?;
    let made: Id = gateway.ask(Method::POST, "users/@me/channels", (&token, Some(&body))).await?;
    Ok(made.id)
}
