//! Changing the partitions while messages flow: what the operator orders, step by step, and what arrives meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use chat_node::bus::Audience;
use chat_node::ids::{ChannelId, UserId};
use crds::{TopologyOrder, TopologyPlan};

use super::broker;
use super::conformance::{End, number_of, to_everyone, users};

/// Between two messages.
const EVERY: Duration = Duration::from_millis(2);
const CHANNEL: ChannelId = ChannelId(77);

/// Two nodes that talk to each other.
pub struct Talk {
    ends: [End; 2],
    members: [UserId; 2],
    published: u64,
}

impl Talk {
    /// Each node has one of two users, who follow the same channel.
    pub async fn begin([mut one, mut two]: [End; 2]) -> Self {
        let [ada, bob, _] = users();
        for (end, user) in [(&mut one, &ada), (&mut two, &bob)] {
            end.attach(user).await;
            end.follow(CHANNEL).await;
        }
        Self { ends: [one, two], members: [ada, bob], published: 0 }
    }

    /// Orders it of every node and talks until the last one says that it is so.
    pub async fn order(&mut self, listen: &[TopologyPlan], publish: u32) {
        let order = TopologyOrder { listen: listen.to_vec(), publish };
        let mut epochs: Vec<_> = listen.iter().map(|plan| plan.epoch).collect();
        epochs.sort_unstable();
        let reached = |end: &End| {
            let mut bound = end.bus.epochs();
            bound.sort_unstable();
            bound == epochs && end.bus.publishing() == Some(publish)
        };
        for nth in 0..2 {
            // One after the other, and messages in between: nodes are never told at the same moment.
            self.ends[nth].bus.order(order.clone()).unwrap();
            self.talk(10).await;
        }
        for _ in 0..5_000 {
            if self.ends.iter().all(reached) {
                return self.talk(10).await;
            }
            self.talk(1).await;
        }
        panic!("not as ordered: {:?}", self.ends.each_ref().map(|end| (end.bus.epochs(), end.bus.health())));
    }

    /// Publishes so many messages from each node.
    pub async fn talk(&mut self, count: usize) {
        for _ in 0..count {
            for end in &self.ends {
                // Confirms may be late for a moment on a busy machine.
                broker::healthy(&*end.bus).await;
                self.published += 1;
                let audience = Audience::Channel { id: CHANNEL, members: &self.members };
                end.bus.publish(&to_everyone(self.published), audience);
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Everything that was published has come to each node, and nothing twice.
    pub async fn end(mut self) {
        let markers = [self.published + 1, self.published + 2];
        for (end, marker) in self.ends.iter().zip(markers) {
            end.tell_everyone(&to_everyone(marker));
        }
        for end in &mut self.ends {
            let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
            while !markers.iter().all(|marker| counts.contains_key(marker)) {
                *counts.entry(number_of(&end.envelope().await)).or_default() += 1;
            }
            let missing: Vec<_> =
                (1..=self.published).filter(|number| !counts.contains_key(number)).collect();
            let twice: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 1).collect();
            assert_eq!((missing, twice), (vec![], vec![]));
        }
    }
}

/// A whole change, as the operator makes it.
pub async fn change(talk: &mut Talk, from: TopologyPlan, to: TopologyPlan) {
    talk.order(&[from, to], from.epoch).await;
    talk.order(&[from, to], to.epoch).await;
    talk.order(&[to], to.epoch).await;
}
