//! From what was seen to what is to be done. Pure and total: no client, no clock, no randomness, no error.

mod autoscaling;
mod conditions;
mod drift;
mod exposure;
mod monitoring;
mod scaling;
mod secrets;
mod teardown;
mod topology;
mod workload;

use crds::condition::{ConditionType, Reason};
use crds::{TopologyOrder, VibeTalkClusterSpec, VibeTalkClusterStatus};
use jiff::Timestamp;

use crate::cluster::{Cluster, InvalidSpec};
use crate::observe::{Children, Observed};
use crate::plan::{Finalizer, Plan, Requeue};
use crate::rabbitmq::Exchange;
use crate::resources::{self, Blueprint, selector_text};

pub use conditions::{State, Verdict, amend};
pub use teardown::held_up;

/// Decides one visit.
pub fn decide(cluster: &Cluster, observed: &Observed, now: Timestamp) -> Plan {
    if let Some(since) = cluster.deleted_at {
        return teardown::decide(cluster, observed, since, now);
    }
    match &cluster.spec {
        Err(invalid) => refuse(cluster, observed, invalid, now),
        Ok(spec) => {
            let plan = converge(cluster, spec, observed, now);
            if spec.paused { plan.without_writes() } else { plan }
        }
    }
}

/// The exchanges that a new cluster has in the broker.
pub fn exchanges(cluster: &Cluster, spec: &VibeTalkClusterSpec) -> Vec<Exchange> {
    topology::first_exchanges(cluster, spec)
}

/// The order that a new cluster begins with.
pub fn first_order(spec: &VibeTalkClusterSpec) -> TopologyOrder {
    topology::first_order(spec)
}

fn converge(cluster: &Cluster, spec: &VibeTalkClusterSpec, observed: &Observed, now: Timestamp) -> Plan {
    let topology = topology::decide(cluster, spec, observed, now);
    let scaling = scaling::decide(spec, observed, now);
    let live = observed.children.deployment();
    let credentials =
        observed.secrets.digest.as_deref().or_else(|| live.as_ref().and_then(resources::credentials_of));
    let ports = observed.secrets.ports.as_ref();
    let desired = resources::build(&Blueprint {
        cluster,
        spec,
        order: &topology.order,
        highest_epoch: topology.highest_epoch,
        replicas: scaling.replicas,
        credentials,
        ports,
    });
    let drift = drift::compare(cluster, spec, desired, observed);
    let exposure = exposure::decide(spec, observed);

    let mut verdicts = workload::decide(spec, observed, &scaling);
    verdicts.extend([topology.verdict, exposure.verdict]);
    verdicts.extend(workload::reports(&observed.pods));
    verdicts.extend([
        autoscaling::decide(spec, observed),
        monitoring::decide(spec, observed),
        conditions::paused(spec),
    ]);
    if let Some(progress) = topology.progress {
        conditions::add_progress(&mut verdicts, progress);
    }
    secrets::overrule(&mut verdicts, &observed.secrets, cluster);
    if let Some(taken) = &drift.taken {
        conditions::overrule(&mut verdicts, taken.clone());
    }
    let status = VibeTalkClusterStatus {
        url: exposure.url,
        topology: topology.status,
        ..status(cluster, &observed.children, verdicts, now)
    };
    Plan {
        finalizer: if cluster.held { Finalizer::Leave } else { Finalizer::Add },
        broker: topology.actions,
        orders: topology.orders,
        retire: topology.retire,
        notices: topology.notices,
        marks: scaling.marks,
        apply: drift.apply,
        prune: drift.prune,
        unread: observed.unread(cluster),
        requeue: topology.requeue.min(scaling.requeue),
        ..Plan::report_only(status, Requeue::Poll)
    }
}

/// A spec that is none: nothing is touched, the status says which field is wrong.
fn refuse(cluster: &Cluster, observed: &Observed, invalid: &InvalidSpec, now: Timestamp) -> Plan {
    let verdicts = ConditionType::ALL.map(|kind| match kind {
        ConditionType::Ready | ConditionType::Progressing => {
            Verdict::no(kind, Reason::InvalidSpec, invalid.to_string())
        }
        kind => conditions::previous(cluster, kind)
            .unwrap_or_else(|| Verdict::unknown(kind, Reason::InvalidSpec, invalid.to_string())),
    });
    let previous = cluster.status.clone();
    let status = VibeTalkClusterStatus {
        url: previous.url,
        topology: previous.topology,
        ..status(cluster, &observed.children, verdicts.into(), now)
    };
    Plan { unread: observed.unread(cluster), ..Plan::report_only(status, Requeue::Poll) }
}

fn status(
    cluster: &Cluster,
    children: &Children,
    verdicts: Vec<Verdict>,
    now: Timestamp,
) -> VibeTalkClusterStatus {
    let seen = children.deployment().and_then(|deployment| deployment.status).unwrap_or_default();
    VibeTalkClusterStatus {
        observed_generation: cluster.generation,
        replicas: seen.replicas.unwrap_or(0),
        ready_replicas: seen.ready_replicas.unwrap_or(0),
        selector: selector_text(&cluster.name),
        conditions: conditions::assemble(cluster, verdicts, now),
        ..VibeTalkClusterStatus::default()
    }
}

#[cfg(test)]
mod tests;
