//! The running operator: admin port, lease and controllers. The first of them to end ends the process, with its
//! reason.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use kube::api::{Api, ListParams};
use kube::runtime::events::{Recorder, Reporter};
use kube::{Client, Config};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::act::explain;
use crate::admin::{self, Readiness};
use crate::apis::{Apis, is_unknown};
use crate::args;
use crate::backoff::{Backoff, jitter};
use crate::cache::Cache;
use crate::cluster::RawCluster;
use crate::metrics::Metrics;
use crate::rabbitmq::{NODE_AWAY, SURVEY_AGE, Surveys};
use crate::reconcile::Context;
use crate::settled::Settled;
use crate::{MANAGER, controller, http, lease, skew};

/// Between two attempts to find the resource at the start.
const RETRY: Duration = Duration::from_secs(3);
/// For visits that run when the process is told to end.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(20);
/// How long a Secret is believed, unless what it says is refused.
const SECRET_AGE: Duration = Duration::from_secs(60);
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Runs until the process is told to end.
///
/// # Errors
/// If there is no cluster to talk to, the lease is lost, or the admin port cannot be opened.
pub async fn run(args: args::Run) -> anyhow::Result<()> {
    let http = http::client().context("cannot set up TLS")?;
    let client = connect().await?;
    let metrics = Metrics::new()?;
    let readiness = Readiness::default();
    let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(identity(&args)) };
    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone(), reporter),
        client,
        apis: Apis::default(),
        cache: Cache::new(SECRET_AGE),
        surveys: Surveys::new(SURVEY_AGE, NODE_AWAY),
        http,
        metrics: metrics.clone(),
        defaults: args.defaults.clone(),
        backoff: Backoff::default(),
        settled: Settled::default(),
    });
    let stop = CancellationToken::new();
    end_on_signal(stop.clone())?;
    tokio::select! {
        result = admin::serve(args.admin_listen, metrics, readiness.clone()) => result,
        result = work(context, &args, &stop, &readiness) => result,
    }
}

/// Waits for its turn and works until told to end.
async fn work(
    ctx: Arc<Context>,
    args: &args::Run,
    stop: &CancellationToken,
    readiness: &Readiness,
) -> anyhow::Result<()> {
    let namespaces = args.namespaces();
    tokio::select! {
        () = served(&ctx.client, &namespaces) => readiness.set(),
        () = stop.cancelled() => return Ok(()),
    }
    // Beside the work, which does not depend on it.
    tokio::spawn(skew::look(ctx.client.clone(), ctx.metrics.clone()));
    let lease_namespace =
        args.defaults.pod_namespace.clone().unwrap_or_else(|| ctx.client.default_namespace().to_owned());
    let mut lease = lease::join(ctx.client.clone(), &lease_namespace, identity(args))
        .await
        .with_context(|| format!("cannot use the Lease {MANAGER} in namespace {lease_namespace}"))?;
    tracing::info!(namespace = lease_namespace, "waiting for the lease");
    tokio::select! {
        won = lease.won() => won?,
        () = stop.cancelled() => {
            lease.hand_back().await;
            return Ok(());
        }
    }
    tracing::info!(?namespaces, "leading");
    // The definition may have changed while another operator led.
    tokio::spawn(skew::look(ctx.client.clone(), ctx.metrics.clone()));
    let mut controllers = pin!(controller::run(ctx, &namespaces, stop.clone()));
    tokio::select! {
        () = &mut controllers => if !stop.is_cancelled() { bail!("the watch of the API server has ended") },
        () = lease.lost() => bail!("the lease was lost: another operator may work now"),
        () = stop.cancelled() => {
            tracing::info!("told to end; finishing the visits that run");
            if tokio::time::timeout(SHUTDOWN_DEADLINE, &mut controllers).await.is_err() {
                tracing::warn!("visits were cut off; the next operator repeats them");
            }
        }
    }
    lease.hand_back().await;
    Ok(())
}

/// Waits until the API server answers and knows the resource.
async fn served(client: &Client, namespaces: &[String]) {
    let api: Api<RawCluster> = match namespaces.first() {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let one = ListParams::default().limit(1);
    loop {
        let call = api.list_metadata(&one);
        match tokio::time::timeout(CONNECT_DEADLINE, call).await {
            Ok(Ok(_)) => return,
            Ok(Err(kube::Error::Api(status))) if is_unknown(&status) => tracing::warn!(
                "the API server does not know VibeTalkClusters; \
                 install them with `vibetalk-operator crds | kubectl apply --server-side -f -`"
            ),
            Ok(Err(error)) => tracing::warn!(error = explain(&error), "cannot list VibeTalkClusters"),
            Err(_) => tracing::warn!("no answer from the API server"),
        }
        tokio::time::sleep(jitter(RETRY)).await;
    }
}

fn end_on_signal(stop: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

async fn connect() -> anyhow::Result<Client> {
    let mut config = Config::infer().await.context(
        "no Kubernetes cluster to talk to: set KUBECONFIG, or run in a pod with a service account",
    )?;
    config.connect_timeout = Some(CONNECT_DEADLINE);
    // Failed visits are repeated with our own backoff; retries below it would only hide the failure.
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// Tells this operator from others: the pod's name, else the machine's.
fn identity(args: &args::Run) -> String {
    if let Some(name) = &args.pod_name {
        return name.clone();
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { format!("{MANAGER}-{}", std::process::id()) } else { name.to_owned() }
}
