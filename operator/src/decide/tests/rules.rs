//! One row for each rule of the decision, in a table for each of its concerns.

mod broker;
mod deletion;
mod exposure;
mod inputs;
mod objects;
mod scaling;

use crate::fixture::{self, World};
use crate::plan::{BrokerAction, Finalizer, NodeOrder, Plan, Prune};

type Given = fn(&mut World);

/// A world that was as specified until `given` happened to it.
#[derive(Clone, Copy)]
struct Row {
    rule: &'static str,
    given: Given,
    /// Type, status and reason of conditions, and a word of their message.
    says: &'static [(&'static str, &'static str, &'static str, &'static str)],
    /// What the plan changes, in words.
    does: &'static [&'static str],
}

/// What a plan changes, in words.
pub(in crate::decide) fn does(plan: &Plan) -> Vec<String> {
    let mut words = Vec::new();
    if plan.finalizer != Finalizer::Leave {
        words.push(format!("finalizer {:?}", plan.finalizer));
    }
    words.extend(plan.broker.iter().map(|action| match action {
        BrokerAction::Declare(exchange) => format!("declare {} {}", exchange.kind, exchange.name),
        BrokerAction::Delete(name) => format!("delete {name}"),
        BrokerAction::Reap(queue) => format!("reap {queue}"),
    }));
    words.extend(plan.marks.iter().map(|mark| format!("mark {} {:?}", mark.pod, mark.cost)));
    words.extend(plan.apply.iter().map(|object| {
        let verb = if object.is_new() { "make" } else { "apply" };
        format!("{verb} {}", object.kind)
    }));
    words.extend(plan.prune.iter().map(|Prune { kind, .. }| format!("prune {kind}")));
    words.extend(plan.orders.iter().map(|NodeOrder { pod, order, .. }| {
        let listen: Vec<_> = order.listen.iter().map(|plan| plan.epoch).collect();
        format!("order {pod} {listen:?} {}", order.publish)
    }));
    words.extend(plan.retire.iter().map(|name| format!("retire {name}")));
    words.extend(plan.notices.iter().map(|notice| format!("tell {}", notice.reason)));
    words
}

fn set_spec(world: &mut World, change: impl FnOnce(&mut crds::VibeTalkClusterSpec)) {
    change(world.cluster.spec.as_mut().expect("the fixture's spec is valid"));
}

#[test]
fn every_rule_holds() {
    let tables = [objects::ROWS, exposure::ROWS, broker::ROWS, inputs::ROWS, scaling::ROWS, deletion::ROWS];
    for row in tables.concat() {
        let mut world = World::converged(fixture::cluster(|_| {}));
        (row.given)(&mut world);
        let plan = world.plan();
        assert_eq!(does(&plan), row.does, "{}", row.rule);
        for (type_, status, reason, word) in row.says {
            let (seen_status, seen_reason, message) = World::condition(&plan, type_);
            assert_eq!(
                (seen_status.as_str(), seen_reason.as_str()),
                (*status, *reason),
                "{}: {type_}",
                row.rule
            );
            assert!(message.contains(word), "{}: {type_} says {message:?}", row.rule);
        }
    }
}
