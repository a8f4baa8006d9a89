//! Which changes lead to a visit, how many visits run at once, and what follows a failed one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::{FutureExt, StreamExt};
use kube::api::{Api, DynamicObject};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::watcher;
use kube::{Client, Resource, ResourceExt};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::cluster::RawCluster;
use crate::reconcile::{Context, Error, reconcile};
use crate::resources::{Kind, managed_by};

/// Visits at once. Each waits for the network most of its time.
const CONCURRENCY: u16 = 16;
/// Changes that come together are one visit.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// Length of a visit, whatever it waits for.
const VISIT_DEADLINE: Duration = Duration::from_secs(30);

/// Runs until `stop`. Watches the given namespaces, one controller each, or all namespaces if none is given.
pub async fn run(ctx: Arc<Context>, namespaces: &[String], stop: CancellationToken) {
    let scopes: Vec<_> = if namespaces.is_empty() {
        vec![None]
    } else {
        namespaces.iter().map(|namespace| Some(namespace.as_str())).collect()
    };
    ctx.apis.probe(&ctx.client).await;
    let controllers = join_all(scopes.into_iter().map(|scope| control(ctx.clone(), scope, stop.clone())));
    tokio::select! {
        _ = controllers => {}
        () = ctx.apis.keep_probing(&ctx.client) => {}
    }
}

async fn control(ctx: Arc<Context>, scope: Option<&str>, stop: CancellationToken) {
    let clusters = match scope {
        Some(namespace) => Api::namespaced(ctx.client.clone(), namespace),
        None => Api::all(ctx.client.clone()),
    };
    let mut controller = Controller::new(clusters, watcher::Config::default())
        .with_config(Config::default().concurrency(CONCURRENCY).debounce(DEBOUNCE));
    for kind in Kind::ALL.into_iter().filter(|kind| ctx.apis.serves(*kind)) {
        let config = watcher::Config::default().labels(&managed_by());
        controller = controller.owns_with(children(&ctx.client, kind, scope), kind.resource(), config);
    }
    controller
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(visit, after_failure, ctx)
        .for_each(async |result| {
            if let Err(error) = result {
                tracing::warn!(%error, "visit or watch failed");
            }
        })
        .await;
}

fn children(client: &Client, kind: Kind, scope: Option<&str>) -> Api<DynamicObject> {
    match scope {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind.resource()),
        None => Api::all_with(client.clone(), &kind.resource()),
    }
}

/// One visit, with its deadline, its span and its counts.
async fn visit(resource: Arc<RawCluster>, ctx: Arc<Context>) -> Result<Action, Error> {
    let span = tracing::info_span!(
        "visit",
        namespace = resource.namespace().unwrap_or_default(),
        cluster = resource.name_any()
    );
    let started = Instant::now();
    let uid = resource.uid().unwrap_or_default();
    let work = reconcile(resource, ctx.clone()).instrument(span);
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

fn after_failure(resource: Arc<RawCluster>, error: &Error, ctx: Arc<Context>) -> Action {
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
