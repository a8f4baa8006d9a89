//! What the broker has against what it should have.

use std::collections::{BTreeMap, BTreeSet};

use crds::exchange::ClusterKey;
use crds::{TopologyOrder, TopologyPlan};

use crate::rabbitmq::Exchange;

/// How the exchanges in the broker differ from those that an order needs.
pub(super) struct Difference {
    /// To be declared.
    pub(super) missing: Vec<Exchange>,
    /// What is needed and is otherwise than it must be.
    pub(super) wrong: Vec<Wrong>,
    /// Partitions that nobody needs, as they were declared here.
    pub(super) unused: Vec<String>,
    /// Partitions that nobody needs, and that somebody else has made.
    pub(super) foreign: Vec<String>,
}

/// An exchange that is otherwise than it must be.
pub(super) struct Wrong {
    pub(super) name: String,
    /// Its name and what is wrong with it.
    pub(super) text: String,
}

/// Every exchange that an order needs: one for each partition, one for all nodes.
pub(super) fn wanted(key: &ClusterKey, order: &TopologyOrder) -> Vec<Exchange> {
    let control = Exchange::durable(key.control(), "fanout");
    order.listen.iter().flat_map(|plan| partitions(key, *plan)).chain([control]).collect()
}

fn partitions(key: &ClusterKey, plan: TopologyPlan) -> impl Iterator<Item = Exchange> {
    let name = move |partition| key.partition(plan.epoch, partition);
    (0..plan.partitions).map(move |partition| Exchange::durable(name(partition), "direct"))
}

impl Difference {
    pub(super) fn of(key: &ClusterKey, order: &TopologyOrder, found: &[Exchange]) -> Self {
        let wanted = wanted(key, order);
        let live: BTreeMap<_, _> = found.iter().map(|exchange| (exchange.name.as_str(), exchange)).collect();
        let names: BTreeSet<_> = wanted.iter().map(|exchange| exchange.name.as_str()).collect();
        let own = |exchange: &Exchange| *exchange == Exchange::durable(exchange.name.clone(), "direct");
        let (unused, foreign): (Vec<_>, Vec<_>) =
            found.iter().filter(|exchange| !names.contains(exchange.name.as_str())).partition(|one| own(one));
        let named = |some: Vec<&Exchange>| some.into_iter().map(|exchange| exchange.name.clone()).collect();
        Self {
            wrong: wanted
                .iter()
                .filter_map(|exchange| differs(exchange, live.get(exchange.name.as_str())?))
                .collect(),
            unused: named(unused),
            foreign: named(foreign),
            missing: wanted
                .iter()
                .filter(|exchange| !live.contains_key(exchange.name.as_str()))
                .cloned()
                .collect(),
        }
    }
}

fn differs(wanted: &Exchange, live: &Exchange) -> Option<Wrong> {
    if wanted == live {
        return None;
    }
    let rows = [
        ("type", wanted.kind.clone(), live.kind.clone()),
        ("durable", wanted.durable.to_string(), live.durable.to_string()),
        ("auto_delete", wanted.auto_delete.to_string(), live.auto_delete.to_string()),
        ("internal", wanted.internal.to_string(), live.internal.to_string()),
        ("arguments", arguments(wanted), arguments(live)),
    ];
    let differences: Vec<_> = rows
        .into_iter()
        .filter(|(_, wanted, live)| wanted != live)
        .map(|(property, wanted, live)| format!("{property} is {live}, not {wanted}"))
        .collect();
    let text = format!("exchange {}: {}", wanted.name, differences.join(", "));
    Some(Wrong { name: wanted.name.clone(), text })
}

fn arguments(exchange: &Exchange) -> String {
    serde_json::Value::Object(exchange.arguments.clone()).to_string()
}
