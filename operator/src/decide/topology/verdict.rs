//! What is said of the exchanges and of a change.

use crds::condition::{ConditionType, Reason};
use crds::{TopologyPlan, TopologyStatus};

use super::course::{Course, base};
use super::fleet::Lag;
use super::health;
use super::steps::{Turn, View};
use crate::cluster::Cluster;
use crate::decide::conditions::{State, Verdict};
use crate::plan::{Notice, Severity};
use crate::rabbitmq::BrokerError;

/// Names in a message; more are counted.
const MAX_NAMED: usize = 3;
const KIND: ConditionType = ConditionType::TopologyInSync;

/// What is said, in the order of its weight.
pub(super) struct Said {
    fault: Option<(Reason, String)>,
    change: Option<(Reason, String)>,
    left: Option<(Reason, String)>,
    good: String,
}

impl Said {
    pub(super) fn of(cluster: &Cluster, view: &View<'_>, turn: &Turn) -> Self {
        Self {
            fault: health::fault(view.health).or_else(|| fault(cluster, view)).or_else(|| deaf(view)),
            change: turn.step.map(|step| change(view, turn, &format!("{step:?}"))),
            left: left(view),
            good: format!(
                "the exchanges of {} partitions are declared{}",
                published(view).partitions,
                health::remark(view.health)
            ),
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self.fault.as_ref().or(self.change.as_ref()).or(self.left.as_ref()) {
            Some((reason, message)) => Verdict::no(KIND, *reason, message.clone()),
            None => Verdict::yes(KIND, self.good.clone()),
        }
    }

    pub(super) fn progress(&self) -> Option<Verdict> {
        let (_, message) = self.change.as_ref()?;
        Some(Verdict::new(ConditionType::Progressing, State::True, Reason::Repartitioning, message.clone()))
    }

    /// Begin and end of a change.
    pub(super) fn notices(&self, cluster: &Cluster, now: Option<TopologyStatus>) -> Vec<Notice> {
        let is_changing = |status: &TopologyStatus| status.step.is_some();
        let (before, now) = (cluster.status.topology, now);
        let told = |reason: &str, message: String| {
            vec![Notice { severity: Severity::Normal, reason: reason.to_owned(), message }]
        };
        match (before.filter(is_changing), now.filter(is_changing)) {
            (None, Some(_)) => {
                told("Repartitioning", self.change.clone().map(|(_, message)| message).unwrap_or_default())
            }
            (Some(_), None) => {
                let plan = now.map(|now| (now.epoch, now.partitions, now.routing));
                let words = plan.map(|(epoch, partitions, routing)| {
                    describe(TopologyPlan { epoch, partitions, routing })
                });
                told("Repartitioned", format!("the chat nodes use {}", words.unwrap_or_default()))
            }
            _ => Vec::new(),
        }
    }
}

pub(super) fn not_asked() -> Verdict {
    Verdict::unknown(KIND, Reason::NotObserved, "the broker's credentials are not known")
}

pub(super) fn unreachable(cluster: &Cluster, error: &BrokerError) -> Verdict {
    match error {
        BrokerError::Unreachable { .. } | BrokerError::TooMany { .. } => {
            Verdict::no(KIND, Reason::BrokerUnreachable, error.to_string())
        }
        BrokerError::Refused { .. } => Verdict::no(
            KIND,
            Reason::BrokerUnreachable,
            format!(
                "{error}; check the user of {}: it needs the tag `management` and the right to configure `vt.*`",
                cluster.broker_field()
            ),
        ),
        BrokerError::Mismatch { .. } | BrokerError::InUse { .. } => {
            Verdict::no(KIND, Reason::ExchangeMismatch, error.to_string())
        }
    }
}

/// What keeps messages from passing: something is wrong with the epoch that is published to, or with what all share.
fn fault(cluster: &Cluster, view: &View<'_>) -> Option<(Reason, String)> {
    let key = cluster.key();
    let matters = |name: &str| key.epoch_of(name).is_none_or(|epoch| epoch == view.current.order.publish);
    let wrong = view.difference.wrong.iter().filter(|wrong| matters(&wrong.name));
    let wrong: Vec<_> = wrong.map(|wrong| wrong.text.clone()).collect();
    if !wrong.is_empty() {
        let message = format!("{}; delete it in the broker and it is made anew", list(&wrong));
        return Some((Reason::ExchangeMismatch, message));
    }
    let missing = view.difference.missing.iter().filter(|exchange| matters(&exchange.name));
    let missing: Vec<_> = missing.map(|exchange| exchange.name.clone()).collect();
    (!missing.is_empty()).then(|| (Reason::ExchangeMissing, format!("declaring {}", list(&missing))))
}

fn deaf(view: &View<'_>) -> Option<(Reason, String)> {
    let order = &view.current.order;
    let deaf = view.fleet.deaf_to(order.publish);
    let message = || format!("{} does not listen to epoch {} yet", names(&deaf), order.publish);
    (!deaf.is_empty()).then(|| (Reason::NodesNotBound, message()))
}

fn change(view: &View<'_>, turn: &Turn, step: &str) -> (Reason, String) {
    let course = Course::from(&turn.order, view.spec);
    let base = base(&turn.order);
    let what = match course.goal() {
        Some(goal) if Some(goal) != base => format!("moving to {}", describe(goal)),
        Some(goal) if turn.order.listen.len() > 1 => format!("going back to {}", describe(goal)),
        Some(goal) => format!("using {}, leaving what was used before", describe(goal)),
        None => "moving".to_owned(),
    };
    let wrong: Vec<_> = view.difference.wrong.iter().map(|wrong| wrong.text.clone()).collect();
    let waits = match turn.waits_for.as_slice() {
        [] if view.blocked => format!(": {}; delete it in the broker", list(&wrong)),
        [] => String::new(),
        lagging => format!(", waiting for {}", names(lagging)),
    };
    let unheard = turn.waits_for.iter().any(|lag| lag.unheard);
    let reason = if unheard { Reason::NodeUnreachable } else { Reason::Repartitioning };
    (reason, format!("{what}: {step}{waits}"))
}

fn left(view: &View<'_>) -> Option<(Reason, String)> {
    let foreign = &view.difference.foreign;
    let message = || {
        format!(
            "nobody needs exchange {}, and the operator has not made it: delete it in the broker",
            list(foreign)
        )
    };
    (!foreign.is_empty()).then(|| (Reason::ExchangeLeft, message()))
}

fn published(view: &View<'_>) -> TopologyPlan {
    let order = &view.current.order;
    // An order that holds has passed its check.
    order.plan(order.publish).unwrap_or(TopologyPlan {
        epoch: order.publish,
        partitions: 0,
        routing: view.spec.rabbitmq.routing,
    })
}

fn describe(plan: TopologyPlan) -> String {
    let TopologyPlan { epoch, partitions, routing } = plan;
    format!("{partitions} partitions by {routing:?} (epoch {epoch})")
}

/// Who is silent comes first: that asks for somebody.
fn names(lagging: &[Lag]) -> String {
    let mut sorted: Vec<_> = lagging.iter().collect();
    sorted.sort_by_key(|lag| !lag.unheard);
    list(&sorted.into_iter().map(|lag| lag.what.clone()).collect::<Vec<_>>())
}

fn list(items: &[String]) -> String {
    let shown = items.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match items.len().checked_sub(MAX_NAMED) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
