//! Who manages groups: lets others in, puts them out, silences and bans them, over any node, and holds the cluster to
//! every answer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chat_node::channels::Channels;
use chat_node::channels::groups::Membership;
use chat_node::error::{ErrorCode, Problem};
use chat_node::groups::{GroupSettings, Role};
use chat_node::ids::{GroupId, UserId};
use chat_node::protocol::message::User;
use tokio::time::{sleep, timeout};

use crate::claims::Left;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::trace::Event;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(8);
/// After this time nothing of a call without an answer is on its way any more.
const OVER_AFTER: Duration = Duration::from_secs(10);

pub struct Manager {
    cluster: Arc<Cluster>,
    dice: Dice,
    own: User,
    others: Vec<UserId>,
    groups: Vec<GroupId>,
}

impl Manager {
    /// `own` is an admin of the official group.
    pub fn new(cluster: &Arc<Cluster>, own: User, others: Vec<UserId>) -> Self {
        let dice = cluster.world.dice.fork();
        Self { cluster: Arc::clone(cluster), dice, own, others, groups: vec![GroupId::OFFICIAL] }
    }

    /// Manages until there is calm.
    pub async fn manage(mut self) {
        while !self.cluster.world.weather().calm {
            sleep(self.dice.ms(100..5_000)).await;
            if self.groups.len() < 3 && self.dice.happens(0.3) {
                self.make_group().await;
            } else {
                self.change_member().await;
            }
        }
    }

    async fn make_group(&mut self) {
        let (own, settings) =
            (self.own.clone(), GroupSettings { name: "friends".to_owned(), topic: String::new() });
        let made = self.ask(|channels| async move { channels.create_group(&own, settings).await }).await;
        if let Some(Ok(group)) = made {
            self.groups.push(group.id);
        }
    }

    async fn change_member(&mut self) {
        let (Some(group), Some(user)) = (self.dice.pick(&self.groups), self.dice.pick(&self.others)) else {
            return;
        };
        let (group, user) = (*group, user.clone());
        let role = match self.dice.up_to(9) {
            0..4 => Some(Role::Member),
            4 => Some(Role::Muted),
            5 => Some(Role::Banned),
            _ => None,
        };
        let world = &self.cluster.world;
        world.oracle.lift(group, &user);
        let outcome = self.set_role(group, &user, role).await;
        world.trace.note(Event::Role { group, user: user.clone(), role, outcome: format!("{outcome:?}") });
        match outcome {
            Some(Ok(())) => world.oracle.put(&world.store.tables(), (group, &user), left(group, role)),
            Some(Err(code)) if code != ErrorCode::Unavailable => {}
            _ => sleep(OVER_AFTER).await,
        }
    }

    /// Gives somebody a role, or puts them out; `None`: there was no answer.
    async fn set_role(
        &self,
        group: GroupId,
        user: &UserId,
        role: Option<Role>,
    ) -> Option<Result<(), ErrorCode>> {
        let (by, user) = (self.own.id.clone(), user.clone());
        let set = |channels: Arc<Channels>| async move {
            match role {
                Some(role) => {
                    channels.put_member(&by, group, Membership { user_id: user, role }).await.map(drop)
                }
                None => channels.remove_member(&by, group, &user).await,
            }
        };
        self.ask(set).await.map(|done| done.map_err(|problem| problem.code))
    }

    /// Asks some node, as over REST.
    async fn ask<T, F>(&self, what: impl FnOnce(Arc<Channels>) -> F) -> Option<Result<T, Problem>>
    where
        F: Future<Output = Result<T, Problem>>,
    {
        let (_, gateway, life) = self.cluster.pick(&self.dice)?;
        let asking = what(Arc::clone(&gateway.channels));
        let asking = async {
            life.runs().await;
            asking.await
        };
        timeout(PATIENCE, asking).await.ok()
    }
}

/// What is left to who has this role now.
fn left(group: GroupId, role: Option<Role>) -> Left {
    match role {
        Some(Role::Muted) => Left { reads: true, sends: false },
        Some(Role::Banned) => Left { reads: false, sends: false },
        None if group != GroupId::OFFICIAL => Left { reads: false, sends: false },
        _ => Left { reads: true, sends: true },
    }
}
