//! What one visit does about the epochs: the next step on the [`Course`], or what it waits for.

use crds::{TopologyOrder, TopologyPlan, TopologyStep, VibeTalkClusterSpec};

use super::course::Course;
use super::exchanges::Difference;
use super::fleet::{Fleet, Lag, follows, listens};
use super::order::{Current, wished};
use crate::observe::BrokerHealth;
use crate::plan::NodeOrder;

/// What is known, as the steps need it.
pub(super) struct View<'a> {
    pub(super) spec: &'a VibeTalkClusterSpec,
    pub(super) current: &'a Current,
    pub(super) fleet: &'a Fleet<'a>,
    pub(super) difference: &'a Difference,
    pub(super) health: &'a BrokerHealth,
    /// Higher than every epoch that anybody may know.
    pub(super) next_epoch: u32,
    /// Whether the status says that the epochs change. Only then the pods are known as they are at this moment.
    pub(super) is_known_to_move: bool,
    /// Whether the epoch to go to has exchanges of another type, so that nobody can go there.
    pub(super) blocked: bool,
}

/// What one visit does about the epochs.
#[derive(Debug, PartialEq)]
pub(super) struct Turn {
    /// The order that holds from now on.
    pub(super) order: TopologyOrder,
    /// How far a change is; `None`: nothing changes.
    pub(super) step: Option<TopologyStep>,
    pub(super) orders: Vec<NodeOrder>,
    pub(super) retire: Vec<String>,
    pub(super) waits_for: Vec<Lag>,
}

impl View<'_> {
    pub(super) fn turn(&self) -> Turn {
        let course = Course::from(&self.current.order, self.spec);
        if !self.current.written || !self.difference.missing.is_empty() {
            // Nobody goes anywhere before what the order needs is there.
            return self.stay(self.before(course));
        }
        match course {
            Course::Begin => self.begin(),
            Course::Switch(goal) => self.switch(goal),
            Course::Drop(goal) => self.forget(goal),
            Course::Stay(_) => self.clean(),
        }
    }

    /// The step that is not yet over while exchanges are missing.
    fn before(&self, course: Course) -> Option<TopologyStep> {
        match course {
            Course::Switch(_) => Some(TopologyStep::Declaring),
            Course::Drop(_) => Some(TopologyStep::Switching),
            Course::Begin | Course::Stay(_) => None,
        }
    }

    /// Adds the new epoch to the order. Its exchanges are declared when the order stands, so that a change that is broken
    /// off here can be told from one that never began.
    fn begin(&self) -> Turn {
        let order = TopologyOrder {
            listen: self.order().listen.iter().copied().chain([wished(self.spec, self.next_epoch)]).collect(),
            publish: self.order().publish,
        };
        Turn { order, ..self.stay(Some(TopologyStep::Declaring)) }
    }

    /// Lets everybody publish to `goal` once everybody listens to it.
    fn switch(&self, goal: TopologyPlan) -> Turn {
        if self.blocked {
            return self.stay(Some(TopologyStep::Declaring));
        }
        let lagging = self.fleet.lagging(|report| listens(report, self.order()));
        if !lagging.is_empty() {
            return self.wait(TopologyStep::Binding, lagging);
        }
        let order = TopologyOrder { publish: goal.epoch, ..self.order().clone() };
        self.tell(order, TopologyStep::Switching)
    }

    /// Lets everybody forget the other epochs once nobody publishes there: what a node says of this it says when the
    /// broker has confirmed everything that was on its way to them.
    fn forget(&self, goal: TopologyPlan) -> Turn {
        let publishes = |report: &_| listens(report, &TopologyOrder::of(goal)) && published(report, goal);
        let lagging = self.fleet.lagging(publishes);
        if !lagging.is_empty() {
            return self.wait(TopologyStep::Switching, lagging);
        }
        self.tell(TopologyOrder::of(goal), TopologyStep::Draining)
    }

    /// Deletes what is left of other epochs once nobody listens there. Everybody is told the order once more before: who
    /// takes it knows of no other epoch, also of none that it could not bind.
    fn clean(&self) -> Turn {
        if self.difference.unused.is_empty() {
            return Turn { orders: self.fleet.correct(self.order()), ..self.stay(None) };
        }
        if !self.is_known_to_move {
            return self.stay(Some(TopologyStep::Draining));
        }
        let lagging = self.fleet.lagging(|report| follows(report, self.order()));
        if !lagging.is_empty() {
            return self.wait(TopologyStep::Draining, lagging);
        }
        Turn {
            orders: self.fleet.tell_all(self.order()),
            retire: self.difference.unused.clone(),
            ..self.stay(Some(TopologyStep::Deleting))
        }
    }

    fn order(&self) -> &TopologyOrder {
        &self.current.order
    }

    fn stay(&self, step: Option<TopologyStep>) -> Turn {
        let order = self.order().clone();
        Turn { order, step, orders: Vec::new(), retire: Vec::new(), waits_for: Vec::new() }
    }

    fn wait(&self, step: TopologyStep, waits_for: Vec<Lag>) -> Turn {
        Turn { orders: self.fleet.remind(self.order()), waits_for, ..self.stay(Some(step)) }
    }

    fn tell(&self, order: TopologyOrder, step: TopologyStep) -> Turn {
        Turn { orders: self.fleet.tell_all(&order), order, ..self.stay(Some(step)) }
    }
}

fn published(report: &crds::NodeReport, goal: TopologyPlan) -> bool {
    report.publishing == Some(goal.epoch)
}
