//! Who moderates groups: lets others in, puts them out, silences and bans them, over any node, and holds the cluster to
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
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{sleep, timeout};

use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::trace::{Event, NodeId};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(8);

/// What somebody is made, as often as it stands here; `None`: nothing.
const ROLES: [Option<Role>; 10] = {
    let (member, muted, banned) = (Some(Role::Member), Some(Role::Muted), Some(Role::Banned));
    [member, member, member, member, muted, banned, None, None, None, None]
};
/// The same for who is not wanted.
const OUT: [Option<Role>; 4] = [None, None, Some(Role::Muted), Some(Role::Banned)];

pub struct Moderator {
    cluster: Arc<Cluster>,
    dice: Dice,
    own: User,
    others: Vec<UserId>,
    groups: Vec<GroupId>,
}

impl Moderator {
    /// `own` is an admin of the official group.
    pub fn new(cluster: &Arc<Cluster>, own: User, others: Vec<UserId>) -> Self {
        let dice = cluster.world.dice.fork();
        Self { cluster: Arc::clone(cluster), dice, own, others, groups: vec![GroupId::OFFICIAL] }
    }

    /// Moderates until there is calm.
    pub async fn moderate(mut self) {
        while !self.cluster.world.weather().calm {
            let pause = self.dice.ms(1..self.cluster.world.pace_ms);
            if let Ok((user, node)) = timeout(pause, self.newcomer()).await {
                self.turns_away(user, node).await;
            } else if self.groups.len() < 3 && self.dice.happens(0.2) {
                self.make_group().await;
            } else if let (Some(group), Some(user)) =
                (self.dice.pick(&self.groups), self.dice.pick(&self.others))
            {
                let whom = (*group, user.clone());
                self.change_member(whom, self.dice.pick(&ROLES).copied().flatten()).await;
            }
        }
    }

    /// Waits for somebody to come whom it does not want just then.
    async fn newcomer(&self) -> (UserId, NodeId) {
        let mut arrivals = self.cluster.world.arrivals.subscribe();
        loop {
            match arrivals.recv().await {
                Ok((user, node)) if user != self.own.id && self.dice.happens(0.3) => return (user, node),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Puts somebody out just while they come in, at a node that knows the group as it was before.
    async fn turns_away(&self, user: UserId, node: NodeId) {
        let Some(group) = self.dice.pick(&self.groups).copied() else { return };
        if let Some((gateway, life)) = self.cluster.serving(node) {
            let own = self.own.id.clone();
            tokio::spawn(async move {
                life.runs().await;
                gateway.channels.group(&own, group).await.map(drop)
            });
        }
        sleep(self.dice.ms(0..20)).await;
        self.change_member((group, user), self.dice.pick(&OUT).copied().flatten()).await;
    }

    async fn make_group(&mut self) {
        let (own, settings) =
            (self.own.clone(), GroupSettings { name: "friends".to_owned(), topic: String::new() });
        let made = self.ask(|channels| async move { channels.create_group(&own, settings).await }).await;
        if let Some(Ok(group)) = made {
            self.groups.push(group.id);
        }
    }

    /// Makes somebody this in a group, or puts them out; without an answer perhaps at once something else.
    async fn change_member(&self, (group, user): (GroupId, UserId), mut role: Option<Role>) {
        let world = &self.cluster.world;
        loop {
            world.oracle.lift(group, &user);
            let outcome = self.set_role(group, &user, role).await;
            world.trace.note(Event::Role {
                group,
                user: user.clone(),
                role,
                outcome: format!("{outcome:?}"),
            });
            match outcome {
                Some(Ok(())) => {
                    return world.oracle.put(&world.store.tables(), (group, &user), role);
                }
                // It may have been done or not, or be done later.
                Some(Err(ErrorCode::Unavailable)) | None if self.dice.happens(0.7) => {
                    role = self.dice.pick(&ROLES).copied().flatten();
                }
                Some(Err(_)) | None => return,
            }
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
