//! Makes the channels of a run, many at a time.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use futures::stream::{self, StreamExt};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::cast::{Cast, UserNumber};
use super::message::Run;
use super::rest::Rest;
use crate::progress::Progress;

/// Requests under way at the same time.
const AT_ONCE: usize = 48;
/// The official channel's id.
const OFFICIAL: u64 = 1;
const SAY_EVERY: Duration = Duration::from_secs(5);

/// What is needed to make channels.
#[derive(Debug)]
pub struct Stage<'a> {
    /// Who is to be where.
    pub cast: &'a Cast,
    /// The run.
    pub run: &'a Run,
    /// Each user's token.
    pub tokens: &'a [String],
    /// The service.
    pub rest: &'a Rest,
    /// Who hears of it.
    pub progress: Progress,
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

#[derive(Deserialize)]
struct Channels {
    channels: Vec<Made>,
}

impl Stage<'_> {
    /// Makes them; their ids in the order of their numbers.
    pub async fn set(&self) -> Result<Vec<u64>> {
        let Cast { groups, pairs, .. } = self.cast;
        let added = groups.iter().flat_map(|members| &members[1..]);
        let known: BTreeSet<UserNumber> =
            added.chain(pairs.iter().map(|[_, recipient]| recipient)).copied().collect();
        let introduce = known.into_iter().map(|user| self.introduce(user));
        self.all("users are known", introduce).await?;
        let of_groups = self.all("groups are made", groups.iter().map(|members| self.group(members))).await?;
        let of_pairs = self.all("direct channels are made", pairs.iter().map(|pair| self.pair(pair))).await?;
        Ok([OFFICIAL].into_iter().chain(of_groups.into_iter().flatten()).chain(of_pairs).collect())
    }

    /// Does much at the same time; what came of it, in order.
    async fn all<T>(
        &self,
        what: &str,
        work: impl ExactSizeIterator<Item = impl Future<Output = Result<T>>>,
    ) -> Result<Vec<T>> {
        let (count, mut done, mut said) = (work.len(), 0, Instant::now());
        let mut results = stream::iter(work).buffered(AT_ONCE);
        let mut made = Vec::with_capacity(count);
        while let Some(one) = results.next().await {
            made.push(one?);
            done += 1;
            if said.elapsed() > SAY_EVERY || done == count {
                said = Instant::now();
                self.progress.say(format_args!("{done} of {count} {what}"));
            }
        }
        Ok(made)
    }

    fn token(&self, user: UserNumber) -> &str {
        &self.tokens[user.0 as usize]
    }

    /// Only who has signed in once can be added to a group.
    async fn introduce(&self, user: UserNumber) -> Result<()> {
        let _: Value = self.rest.ask(Method::GET, "users/@me", (self.token(user), None)).await?;
        Ok(())
    }

    /// The ids of the group's channels.
    async fn group(&self, members: &[UserNumber]) -> Result<Vec<u64>> {
        let (owner, others) = members.split_first().context("a group without members")?;
        let token = self.token(*owner);
        let name = json!({ "name": format!("Load {}", self.run.name()) });
        let group: Made = self.rest.ask(Method::POST, "groups", (token, Some(&name))).await?;
        for member in others {
            let path = format!("groups/{}/members/{}", group.id, self.run.user(member.0));
            let role = json!({ "role": "member" });
            let _: Value = self.rest.ask(Method::PUT, &path, (token, Some(&role))).await?;
        }
        let path = format!("groups/{}/channels", group.id);
        let first: Channels = self.rest.ask(Method::GET, &path, (token, None)).await?;
        let mut ids: Vec<u64> = first.channels.iter().map(number).collect::<Result<_>>()?;
        for channel in 1..self.cast.channels_of_group {
            let name = json!({ "name": format!("channel-{channel}") });
            ids.push(number(&self.rest.ask(Method::POST, &path, (token, Some(&name))).await?)?);
        }
        Ok(ids)
    }

    async fn pair(&self, [one, other]: &[UserNumber; 2]) -> Result<u64> {
        let recipient = json!({ "recipient_id": self.run.user(other.0) });
        number(
            &self.rest.ask(Method::POST, "users/@me/channels", (self.token(*one), Some(&recipient))).await?,
        )
    }
}

fn number(made: &Made) -> Result<u64> {
    made.id.parse().with_context(|| format!("the id `{}` is no number", made.id))
}
