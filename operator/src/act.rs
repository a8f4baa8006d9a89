//! Carries a plan out. The order of all writes is said here and only here; nothing is decided.
//!
//! What the operator asks of the API server, and why:
//!
//! | group | resources | verbs | reason |
//! | --- | --- | --- | --- |
//! | vibetalk.dev | vibetalkclusters | get, list, watch, patch | the watch; the finalizer |
//! | vibetalk.dev | vibetalkclusters/status | patch | the status |
//! | vibetalk.dev | vibetalkclusters/finalizers | update | owner references that block deletion, where that is enforced |
//! | apps | deployments | get, list, watch, create, patch, delete | children |
//! | policy | poddisruptionbudgets | get, list, watch, create, patch, delete | children |
//! | (core) | services, configmaps, serviceaccounts | get, list, watch, create, patch, delete | children |
//! | networking.k8s.io | ingresses, networkpolicies | get, list, watch, create, patch, delete | children |
//! | autoscaling | horizontalpodautoscalers | get, list, watch, create, patch, delete | children |
//! | gateway.networking.k8s.io | httproutes | get, list, watch, create, patch, delete | children, where they are |
//! | monitoring.coreos.com | podmonitors, prometheusrules | get, list, watch, create, patch, delete | children, where they are |
//! | keda.sh | scaledobjects | get, list, watch, create, patch, delete | children, where they are |
//! | (core) | secrets | get | credentials that a spec names; never listed or watched |
//! | (core) | pods | get, list, watch, patch | connections before a scale-down; `pod-deletion-cost` |
//! | events.k8s.io | events | create, patch | events |
//! | coordination.k8s.io | leases | get, create, patch | leader election, in the operator's own namespace |

mod apply;
mod broker;
mod finalizer;
mod marks;
mod orders;
mod prune;

use std::error::Error;

use kube::api::PatchParams;

use self::apply::Applied;
use crate::MANAGER;
use crate::cluster::Cluster;
use crate::plan::{Finalizer, Plan};
use crate::rabbitmq::{BrokerError, Management};
use crate::reconcile::Context;

pub use orders::OrderFailure;

/// Tells the ReplicaSet controller which pods to end first.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Exchanges that were declared.
    pub declared: Vec<String>,
    /// The first change that the broker did not make.
    pub broker_failure: Option<BrokerError>,
    /// Exchanges that nobody needs any more and that are still bound.
    pub in_use: Vec<String>,
    /// An order that a chat node did not take.
    pub order_failure: Option<OrderFailure>,
    /// The first write that the API server did not take; nothing was written after it.
    pub write_failure: Option<WriteFailure>,
    /// Whether the name of an object that was to be made turned out to be taken.
    pub is_contested: bool,
}

impl Outcome {
    /// Whether all was done.
    pub fn is_complete(&self) -> bool {
        let Self { broker_failure, order_failure, write_failure, is_contested, .. } = self;
        broker_failure.is_none() && order_failure.is_none() && write_failure.is_none() && !is_contested
    }
}

/// A write that the API server did not take.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {object}: {problem}")]
pub struct WriteFailure {
    /// What was tried.
    pub verb: &'static str,
    /// On which object.
    pub object: String,
    /// The API server's words.
    pub problem: String,
}

/// Carries out what the plan says, in this order.
pub async fn act(ctx: &Context, cluster: &Cluster, plan: &Plan, broker: Option<&Management>) -> Outcome {
    let mut outcome = Outcome::default();
    // Before anything outside is made, so that it cannot be forgotten.
    if plan.finalizer == Finalizer::Add {
        outcome.write_failure = finalizer::add(ctx, cluster).await.err();
    }
    if outcome.write_failure.is_none() {
        // Before the pods, which bind to the exchanges. A broker that is down does not keep the objects from being
        // written.
        broker::act(ctx, &plan.broker, broker, &mut outcome).await;
        match objects(ctx, cluster, plan).await {
            Ok(is_contested) => outcome.is_contested = is_contested,
            Err(failure) => outcome.write_failure = Some(failure),
        }
    }
    if outcome.write_failure.is_none() && !outcome.is_contested {
        // After the ConfigMap, so that a node which starts now is not told something older.
        outcome.order_failure = orders::act(ctx, &plan.orders).await;
    }
    if outcome.write_failure.is_none() && !outcome.is_contested && outcome.order_failure.is_none() {
        // After the orders: a node that did not take them may still use what is to go.
        broker::retire(ctx, &plan.retire, broker, &mut outcome).await;
    }
    let clean = outcome.write_failure.is_none() && outcome.broker_failure.is_none();
    if plan.finalizer == Finalizer::LetGo || (plan.finalizer == Finalizer::Remove && clean) {
        outcome.write_failure = finalizer::remove(ctx, cluster).await.err();
    }
    outcome
}

/// Whether a name turned out to be taken; the objects after it are written all the same.
async fn objects(ctx: &Context, cluster: &Cluster, plan: &Plan) -> Result<bool, WriteFailure> {
    // Just before the Deployment shrinks.
    for mark in &plan.marks {
        marks::act(ctx, cluster, mark).await?;
    }
    let mut is_contested = false;
    for object in &plan.apply {
        is_contested |= apply::act(ctx, cluster, object).await? == Applied::Contested;
    }
    for prune in &plan.prune {
        prune::act(ctx, cluster, prune).await?;
    }
    Ok(is_contested)
}

impl WriteFailure {
    fn new(verb: &'static str, object: impl Into<String>, error: &kube::Error) -> Self {
        Self { verb, object: object.into(), problem: explain(error) }
    }
}

/// How the operator applies. What this API server does not know it drops either way; telling of it would cost it a second
/// reading of everything that is applied, a twentieth of all its work for a new cluster.
pub fn applying() -> PatchParams {
    PatchParams::apply(MANAGER).validation_ignore()
}

/// The cause in words that stay the same while the cause does.
pub fn explain(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return status.message.clone();
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
