//! Which changes lead to a visit, how many visits run at once, and what follows a failed one.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{FutureExt, StreamExt, stream};
use kube::api::Api;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Resource, ResourceExt};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::cache::{Follower, Scope};
use crate::cluster::KeptCluster;
use crate::reconcile::{Context, Error, reconcile};
use crate::turns::{Turns, Urgency};

/// Visits at once. Each waits for the network most of its time, and keeps what it works with in memory meanwhile.
const CONCURRENCY: usize = 8;
/// Changes that come together are one visit.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// Changes that wait to be taken up; the watches wait for room.
const TRIGGERS: usize = 1_024;
/// For the first lists of everything.
const FILL_DEADLINE: Duration = Duration::from_secs(15);
const FILL_PAUSE: Duration = Duration::from_millis(20);
/// Length of a visit, whatever it waits for.
const VISIT_DEADLINE: Duration = Duration::from_secs(30);

/// Runs until `stop`. Watches the given namespaces, one controller each, or all namespaces if none is given.
pub async fn run(ctx: Arc<Context>, namespaces: &[String], stop: CancellationToken) {
    let scopes: Vec<Scope> =
        if namespaces.is_empty() { vec![None] } else { namespaces.iter().cloned().map(Some).collect() };
    ctx.apis.probe(&ctx.client).await;
    let turns = Turns::new(CONCURRENCY);
    let visitor = |scope| Visitor { ctx: ctx.clone(), scope, turns: turns.clone(), stop: stop.clone() };
    let controllers = join_all(scopes.into_iter().map(|scope| control(visitor(scope))));
    tokio::select! {
        _ = controllers => {}
        () = ctx.apis.keep_probing(&ctx.client) => {}
    }
}

/// Visits the clusters of one scope.
struct Visitor {
    ctx: Arc<Context>,
    scope: Scope,
    /// Shared by all scopes.
    turns: Arc<Turns>,
    stop: CancellationToken,
}

/// What a visit works with.
struct Visits {
    ctx: Arc<Context>,
    clusters: Store<KeptCluster>,
    turns: Arc<Turns>,
    stop: CancellationToken,
}

/// Watches one scope and visits its clusters.
async fn control(visitor: Visitor) {
    let (trigger, triggered) = mpsc::channel(TRIGGERS);
    let Context { client, cache, apis, metrics, .. } = &*visitor.ctx;
    let follower = Follower { client, cache, apis, metrics };
    let watches = follower.follow(&visitor.scope, &trigger);
    tokio::select! {
        () = watches => {}
        () = visitor.visits(triggered) => {}
    }
}

impl Visitor {
    async fn visits(&self, mut triggered: mpsc::Receiver<ObjectRef<KeptCluster>>) {
        let Self { ctx, scope, turns, stop } = self;
        fill(ctx, scope).await;
        let clusters = match scope {
            Some(namespace) => Api::namespaced(ctx.client.clone(), namespace),
            None => Api::all(ctx.client.clone()),
        };
        let controller = Controller::new(clusters, watcher::Config::default())
            // Its own bound on visits would take up those that wait in no order.
            .with_config(controller::Config::default().debounce(DEBOUNCE))
            .reconcile_on(stream::poll_fn(move |task| triggered.poll_recv(task)))
            .graceful_shutdown_on(stop.clone().cancelled_owned());
        let (ctx, turns, stop) = (ctx.clone(), turns.clone(), stop.clone());
        let visits = Visits { ctx, clusters: controller.store(), turns, stop };
        controller
            .run(visit_in_turn, after_failure, Arc::new(visits))
            .for_each(async |result| match result {
                // The objects of a cluster that is gone tell that they go too.
                Ok(_) | Err(controller::Error::ObjectNotFound(_)) => {}
                Err(error) => tracing::warn!(%error, "visit or watch failed"),
            })
            .await;
    }
}

/// Waits until the cache is filled, but not for ever: what cannot be listed is then named by every visit.
async fn fill(ctx: &Context, scope: &Scope) {
    let started = Instant::now();
    while let Some(what) = ctx.cache.unfilled(scope, |kind| ctx.apis.serves(kind)) {
        if started.elapsed() > FILL_DEADLINE {
            tracing::warn!(what, "not everything can be listed");
            return;
        }
        tokio::time::sleep(FILL_PAUSE).await;
    }
}

/// Waits for its turn and visits.
async fn visit_in_turn(resource: Arc<KeptCluster>, visits: Arc<Visits>) -> Result<Action, Error> {
    let Visits { ctx, clusters, turns, stop } = &*visits;
    let came = Instant::now();
    let waiting = ctx.metrics.waiting();
    let _turn = tokio::select! {
        turn = turns.turn(urgency(&resource)) => turn,
        () = stop.cancelled() => return Ok(Action::await_change()),
    };
    drop(waiting);
    // It may have changed, or gone, while it waited.
    match clusters.get(&ObjectRef::from_obj(&*resource)) {
        Some(newest) => {
            let noticed = if newest.uid() == resource.uid() { came } else { Instant::now() };
            visit(newest, noticed, ctx).await
        }
        None => Ok(Action::await_change()),
    }
}

fn urgency(resource: &KeptCluster) -> Urgency {
    let KeptCluster { metadata, observed_generation, .. } = resource;
    let is_changed = metadata.deletion_timestamp.is_some() || *observed_generation != metadata.generation;
    if is_changed { Urgency::Changed } else { Urgency::Routine }
}

/// One visit, with its deadline, its span and its counts.
async fn visit(resource: Arc<KeptCluster>, noticed: Instant, ctx: &Arc<Context>) -> Result<Action, Error> {
    let span = tracing::info_span!(
        "visit",
        namespace = resource.namespace().unwrap_or_default(),
        cluster = resource.name_any(),
        generation = resource.meta().generation,
    );
    let started = Instant::now();
    let uid = resource.uid().unwrap_or_default();
    let _running = ctx.metrics.visiting();
    let work = reconcile(Arc::new(resource.raw()), noticed, ctx.clone()).instrument(span);
    let result = match tokio::time::timeout(VISIT_DEADLINE, work.boxed()).await {
        Ok(result) => result,
        Err(_) => Err(Error::TooLong(VISIT_DEADLINE.as_secs())),
    };
    if result.is_ok() {
        ctx.backoff.reset(&uid);
    }
    ctx.metrics.reconciled(result.as_ref().map_or_else(Error::label, |_| "ok"), started.elapsed());
    result
}

fn after_failure(resource: Arc<KeptCluster>, error: &Error, visits: Arc<Visits>) -> Action {
    let ctx = &visits.ctx;
    let uid = resource.uid().unwrap_or_default();
    let delay = ctx.backoff.failed(&uid);
    tracing::warn!(
        cluster = resource.name_any(),
        namespace = resource.namespace().unwrap_or_default(),
        %error,
        retry_in_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        "visit failed"
    );
    // A resource that is going may vanish without another visit; its count must not stay.
    if resource.meta().deletion_timestamp.is_some() && resource.finalizers().is_empty() {
        ctx.backoff.reset(&uid);
    }
    Action::requeue(delay)
}
