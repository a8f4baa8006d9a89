//! One visit to one cluster: the four steps, and nothing else.

use std::sync::Arc;

use crds::VibeTalkClusterStatus;
use crds::condition::Reason;
use jiff::Timestamp;
use kube::Client;
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use tokio::time::Instant;

use crate::act::{Outcome, WriteFailure, act};
use crate::apis::Apis;
use crate::args::Defaults;
use crate::backoff::{Backoff, jitter};
use crate::cache::Cache;
use crate::cluster::{Cluster, Nameless, RawCluster};
use crate::decide::decide;
use crate::metrics::Metrics;
use crate::observe::{BrokerState, Observed, PodState, Versions, surroundings, with_objects};
use crate::plan::{BrokerAction, Plan, Requeue};
use crate::rabbitmq::{BrokerError, Surveys};
use crate::report::{is_told, report};
use crate::settled::{Fingerprint, Settled};

/// What every visit works with.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// The optional kinds that it knows.
    pub apis: Apis,
    /// What it last said.
    pub cache: Cache,
    /// What is in the brokers.
    pub surveys: Surveys,
    /// Brokers and chat nodes.
    pub http: reqwest::Client,
    /// Events.
    pub recorder: Recorder,
    /// Counters.
    pub metrics: Metrics,
    /// Defaults for what resources leave open.
    pub defaults: Defaults,
    /// How long to leave a failing resource alone.
    pub backoff: Backoff,
    /// Which need nothing.
    pub settled: Settled,
}

/// Why a visit must be repeated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The resource cannot be worked with at all.
    #[error(transparent)]
    Nameless(#[from] Nameless),
    /// Something could not be read, so that the decision was made on half the facts.
    #[error("cannot read {0}")]
    Read(String),
    /// A write failed.
    #[error(transparent)]
    Write(#[from] WriteFailure),
    /// A change in the broker failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The status could not be written.
    #[error("cannot write the status: {}", crate::act::explain(.0))]
    Status(#[from] kube::Error),
    /// The visit took too long.
    #[error("not done after {0} s")]
    TooLong(u64),
}

/// Makes one cluster look as its resource says, one step further. `noticed` is when the resource was as it is at the
/// latest: what was read since then is not older.
///
/// # Errors
/// If the visit must be repeated; the status has been written where that was possible.
pub async fn reconcile(
    resource: Arc<RawCluster>,
    noticed: Instant,
    ctx: Arc<Context>,
) -> Result<Action, Error> {
    let cluster = Cluster::parse(&ctx.cache.clusters.newest(resource), &ctx.defaults)?;

    let versions = Versions::of(&ctx, &cluster);
    let (surroundings, broker) = surroundings(&ctx, &cluster, noticed).await;
    let seen = Fingerprint::of(&(&versions, &surroundings));
    if ctx.settled.is(&cluster.uid, seen) {
        return again(Requeue::Poll);
    }

    let observed = with_objects(&ctx, &cluster, surroundings).await;
    let mut plan = decide(&cluster, &observed, Timestamp::now());
    if is_settled(&cluster, &observed, &plan) {
        ctx.settled.note(&cluster.uid, seen);
        return again(Requeue::Poll);
    }
    let outcome = act(&ctx, &cluster, &plan, broker.as_ref()).await;
    if outcome.is_contested {
        // What has the name is looked at first, and then reported.
        return follow_up(plan, outcome);
    }
    if cluster.status.conditions.is_empty() && !plan.is_empty() && outcome.is_complete() {
        plan.status = first_status(&ctx, &cluster, observed, &plan);
    }
    report(&ctx, &cluster, &plan, &outcome).await?;

    follow_up(plan, outcome)
}

/// Whether the same decision would follow from the same observations at any later time: nothing is to be done or told,
/// and nobody is waited for. Only a pod that ends is looked at with the clock in hand, and only of an object that has a
/// cluster's name without being its own nobody tells.
fn is_settled(cluster: &Cluster, observed: &Observed, plan: &Plan) -> bool {
    let ends = |pods: &Vec<PodState>| pods.iter().any(|pod| pod.ends_by.is_some());
    let taken = Reason::NameTaken.to_string();
    plan.is_empty()
        && plan.status.conditions.iter().all(|condition| condition.reason != taken)
        && plan.requeue == Requeue::Poll
        && plan.notices.is_empty()
        && plan.unread.is_none()
        && cluster.deleted_at.is_none()
        && is_told(&cluster.status, &plan.status)
        && observed.pods.known().is_some_and(|pods| !ends(pods))
}

/// The status after a first visit that made everything: nobody has to read of what was missing before it.
fn first_status(
    ctx: &Context,
    cluster: &Cluster,
    mut observed: Observed,
    plan: &Plan,
) -> VibeTalkClusterStatus {
    observed.children = ctx.cache.children((&cluster.namespace, &cluster.name), |kind| ctx.apis.serves(kind));
    if let BrokerState::Exchanges(exchanges) = &mut observed.broker {
        exchanges.extend(plan.broker.iter().filter_map(BrokerAction::declared).cloned());
    }
    decide(cluster, &observed, Timestamp::now()).status
}

/// What follows from what was planned and done.
fn follow_up(plan: Plan, outcome: Outcome) -> Result<Action, Error> {
    if let Some(failure) = outcome.write_failure {
        return Err(failure.into());
    }
    if let Some(failure) = outcome.broker_failure {
        return Err(failure.into());
    }
    if let Some(what) = plan.unread {
        return Err(Error::Read(what));
    }
    // What was written is not told by the watches, as the cache has it already; but others act upon it.
    again(if plan.is_empty() { plan.requeue } else { plan.requeue.min(Requeue::Soon) })
}

/// The only place that says "again, and when".
fn again(requeue: Requeue) -> Result<Action, Error> {
    Ok(requeue.delay().map_or_else(Action::await_change, |delay| Action::requeue(jitter(delay))))
}

impl Error {
    /// A word for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Nameless(_) => "nameless",
            Self::Read(_) => "read_failed",
            Self::Write(_) => "write_failed",
            Self::Broker(_) => "broker_failed",
            Self::Status(_) => "status_failed",
            Self::TooLong(_) => "too_long",
        }
    }
}
