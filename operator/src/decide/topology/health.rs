//! How the broker's own nodes are.

use crds::condition::Reason;

use crate::observe::BrokerHealth;
use crate::plan::BrokerAction;
use crate::rabbitmq::Node;

/// Why the broker takes no messages or no changes, although it answers.
pub(super) fn fault(health: &BrokerHealth) -> Option<(Reason, String)> {
    if let Some(error) = &health.refuses {
        let message = format!(
            "the broker takes no declares, as without a majority of its nodes: {error}{}",
            remark(health)
        );
        return Some((Reason::BrokerUnhealthy, message));
    }
    let short = |node: &Node| match (node.mem_alarm, node.disk_free_alarm) {
        (true, _) => Some(format!("node {} of the broker has too little memory", node.name)),
        (_, true) => Some(format!("node {} of the broker has too little disk space", node.name)),
        _ => None,
    };
    let alarm = health.nodes.iter().flatten().find_map(short)?;
    Some((Reason::BrokerUnhealthy, format!("{alarm}: it takes no messages until that is over")))
}

/// What is worth a word and no more: the broker works.
pub(super) fn remark(health: &BrokerHealth) -> String {
    let Some(nodes) = &health.nodes else {
        return "; its user may not see the broker's nodes, for want of the tag `monitoring`".to_owned();
    };
    let away: Vec<_> = nodes.iter().filter(|node| !node.running).map(|node| node.name.clone()).collect();
    if away.is_empty() { String::new() } else { format!("; not running: {}", away.join(", ")) }
}

/// A queue whose node of the broker does not run keeps its bindings, and makes every publish to it fail.
pub(super) fn reap(health: &BrokerHealth) -> impl Iterator<Item = BrokerAction> {
    health.stranded.iter().cloned().map(BrokerAction::Reap)
}
