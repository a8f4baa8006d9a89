//! The epochs that a node was told to use, and how far it has got. Pure: [`super::keeper`] does what is said here.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crds::topology::TopologyFault;
use crds::{TopologyOrder, TopologyPlan};
use tokio::time::Instant;

use crate::bus::routing::Exchange;

/// Shortest and longest wait before an epoch that could not be bound is tried again.
const RETRY: std::ops::Range<Duration> = Duration::from_millis(250)..Duration::from_secs(5);

/// Held by what is on its way to an epoch.
pub(super) type Underway = Arc<()>;

/// What was ordered, and how far one connection has got.
#[derive(Debug)]
pub(super) struct Epochs {
    ordered: TopologyOrder,
    bound: Vec<TopologyPlan>,
    publishing: TopologyPlan,
    underway: Underway,
    earlier: Vec<Weak<()>>,
    failures: HashMap<u32, Failure>,
    /// Epochs that others may publish to, counting on this node.
    promised: HashSet<u32>,
}

#[derive(Debug)]
struct Failure {
    reason: String,
    wait: Duration,
    retry_at: Instant,
}

impl Epochs {
    pub fn new(ordered: TopologyOrder) -> Result<Self, TopologyFault> {
        let publishing = ordered.check()?;
        let promised = ordered.listen.iter().map(|plan| plan.epoch).collect();
        Ok(Self {
            ordered,
            bound: Vec::new(),
            publishing,
            underway: Underway::default(),
            earlier: Vec::new(),
            failures: HashMap::new(),
            promised,
        })
    }

    /// Takes an order; `true`: it says something new.
    pub fn order(&mut self, order: TopologyOrder) -> Result<bool, TopologyFault> {
        order.check_after(&self.ordered)?;
        let new = order != self.ordered;
        self.ordered = order;
        self.failures.clear();
        Ok(new)
    }

    /// There is no connection: nothing is bound, and the next one publishes where it was told to.
    pub fn disconnect(&mut self) {
        self.bound.clear();
        self.failures.clear();
        if let Some(plan) = self.ordered.plan(self.ordered.publish) {
            self.publish_to(plan);
        }
    }

    /// An epoch that has to be bound now, the one to publish to first.
    pub fn to_join(&self, now: Instant) -> Option<TopologyPlan> {
        let is_due = |plan: &&TopologyPlan| {
            !self.bound.contains(plan)
                && self.failures.get(&plan.epoch).is_none_or(|failure| failure.retry_at <= now)
        };
        let due = self.ordered.listen.iter().filter(is_due);
        due.max_by_key(|plan| plan.epoch == self.ordered.publish).copied()
    }

    /// When the next epoch has to be tried again.
    pub fn next_retry(&self) -> Option<Instant> {
        let waiting = self.ordered.listen.iter().filter(|plan| !self.bound.contains(plan));
        waiting.filter_map(|plan| Some(self.failures.get(&plan.epoch)?.retry_at)).min()
    }

    /// An epoch is bound; publishing goes there if that was ordered, or if there is no other.
    pub fn joined(&mut self, plan: TopologyPlan) {
        self.failures.remove(&plan.epoch);
        self.promised.insert(plan.epoch);
        self.bound.push(plan);
        self.switch();
        if !self.bound.contains(&self.publishing) {
            self.publish_to(plan);
        }
    }

    /// An epoch could not be bound, or is not any more.
    pub fn failed(&mut self, plan: TopologyPlan, reason: String, now: Instant) {
        self.bound.retain(|bound| *bound != plan);
        let known = self.failures.get(&plan.epoch);
        let wait = known.map_or(RETRY.start, |failure| (failure.wait * 2).min(RETRY.end));
        self.failures.insert(plan.epoch, Failure { reason, wait, retry_at: now + wait });
    }

    /// Publishes where it was told to, if that is bound.
    pub fn switch(&mut self) {
        let wanted = self.ordered.publish;
        if let Some(plan) = self.bound.iter().find(|plan| plan.epoch == wanted).copied() {
            self.publish_to(plan);
        }
    }

    fn publish_to(&mut self, plan: TopologyPlan) {
        if self.publishing != plan {
            self.publishing = plan;
            let earlier = std::mem::take(&mut self.underway);
            self.earlier.retain(|underway| underway.strong_count() > 0);
            self.earlier.push(Arc::downgrade(&earlier));
        }
    }

    /// An epoch that nobody needs any more; it counts as left from now on.
    pub fn take_leaving(&mut self) -> Option<TopologyPlan> {
        let unneeded = |plan: &TopologyPlan| !self.ordered.listen.contains(plan) && self.publishing != *plan;
        let leaving = self.bound.iter().position(unneeded).map(|at| self.bound.remove(at))?;
        self.promised.remove(&leaving.epoch);
        Some(leaving)
    }

    /// What it was told to listen to.
    pub fn listening(&self) -> Vec<TopologyPlan> {
        self.ordered.listen.clone()
    }

    /// What the node listens to.
    pub fn bound(&self) -> &[TopologyPlan] {
        &self.bound
    }

    /// Where the next envelope is published, and what it holds until it has arrived there.
    pub fn publishing(&self) -> (TopologyPlan, Underway) {
        (self.publishing, Arc::clone(&self.underway))
    }

    /// The epoch that everything is published to; `None`: something is still on its way to an earlier one.
    pub fn settled(&self) -> Option<u32> {
        let settled = self.earlier.iter().all(|underway| underway.strong_count() == 0);
        settled.then_some(self.publishing.epoch)
    }

    /// Why something that others publish may not arrive here.
    pub fn lacking(&self) -> Option<String> {
        let lacks = |plan: &&TopologyPlan| self.promised.contains(&plan.epoch) && !self.bound.contains(plan);
        let plan = self.ordered.listen.iter().find(lacks)?;
        Some(match self.failures.get(&plan.epoch) {
            Some(failure) => format!("the epoch {} is not listened to: {}", plan.epoch, failure.reason),
            None => format!("the epoch {} is being bound", plan.epoch),
        })
    }

    /// The exchanges that the node hears from.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let partitions = self.bound.iter().flat_map(|plan| Exchange::all(*plan));
        std::iter::once(Exchange::Control).chain(partitions).collect()
    }
}

#[cfg(test)]
mod tests;
