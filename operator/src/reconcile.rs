//! One visit to one cluster: the four steps, and nothing else.

use std::sync::Arc;

use jiff::Timestamp;
use kube::Client;
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;

use crate::act::{Outcome, WriteFailure, act};
use crate::apis::Apis;
use crate::args::Defaults;
use crate::backoff::{Backoff, jitter};
use crate::cache::Cache;
use crate::cluster::{Cluster, Nameless, RawCluster};
use crate::decide::decide;
use crate::metrics::Metrics;
use crate::observe::observe;
use crate::plan::{Plan, Requeue};
use crate::rabbitmq::{BrokerError, Surveys};
use crate::report::report;

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

/// Makes one cluster look as its resource says, one step further.
///
/// # Errors
/// If the visit must be repeated; the status has been written where that was possible.
pub async fn reconcile(resource: Arc<RawCluster>, ctx: Arc<Context>) -> Result<Action, Error> {
    let cluster = Cluster::parse(&resource, &ctx.defaults)?;

    let (observed, broker) = observe(&ctx, &cluster).await;
    let plan = decide(&cluster, &observed, Timestamp::now());
    let outcome = act(&ctx, &cluster, &plan, broker.as_ref()).await;
    report(&ctx, &cluster, &plan, &outcome).await?;

    again(plan, outcome)
}

/// The only place that says "again, and when".
fn again(plan: Plan, outcome: Outcome) -> Result<Action, Error> {
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
    let requeue = if plan.is_empty() { plan.requeue } else { plan.requeue.min(Requeue::Soon) };
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
