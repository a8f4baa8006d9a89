//! All of a node but its ports: what serves a client once a transport brings one.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crds::node::{Dependency, OfficialGroupConfig, StoreConfig};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Services, StartError, keys, store};
use crate::admin::status::{Parts, Status};
use crate::bus::Received;
use crate::channels::retention::Retention;
use crate::channels::{Channels, Foundation};
use crate::config::Config;
use crate::drain::{Drain, Plan};
use crate::gateway::{self, Gateway};
use crate::groups::GroupSettings;
use crate::http::rate::Rates;
use crate::hub::Hub;
use crate::ids::UserId;
use crate::ids::lease::{self, Ids};
use crate::metrics::Metrics;
use crate::presence::Presence;

/// How long giving the lease back may take.
const RELEASE_WITHIN: Duration = Duration::from_secs(3);

/// A node that runs, but that nobody can reach by itself.
#[derive(Debug)]
pub struct Engine {
    /// Where transports bring their clients.
    pub gateway: Arc<Gateway>,
    status: Arc<Status>,
    leaving: CancellationToken,
    lease: JoinHandle<()>,
    _tasks: JoinSet<()>,
}

impl Engine {
    /// Starts, and waits until clients can be served; a store that does not answer is waited for.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(
        config: &Config,
        services: Services,
        (status, metrics): (&Arc<Status>, &Arc<Metrics>),
    ) -> Result<Self, StartError> {
        let leaving = CancellationToken::new();
        let Services { store, bus, received, clock } = services;
        store::prepare(&*store, &config.settings.official_group.name, status).await?;
        let (ids, lease) =
            lease::spawn(Arc::clone(&store), Arc::clone(&clock), config.node.clone(), leaving.clone());
        let limits = Arc::clone(&config.limits);
        let hub = Arc::new(Hub::new(Arc::clone(&limits)));
        status.set_parts(Parts { ids: ids.clone(), hub: Arc::clone(&hub), bus: Arc::clone(&bus) });
        let metrics = Arc::clone(metrics);
        let posting = config.settings.official_group.posting;
        let foundation = Foundation { store, ids, hub, bus, metrics, posting };
        let channels = Channels::new(foundation.clone());
        let presence = Presence::new(Arc::clone(&foundation.hub), Arc::clone(&foundation.bus));
        let mut tasks = background((&channels, &presence), received, status);
        for flusher in foundation.hub.flushers() {
            let flusher = Arc::clone(flusher);
            tasks.spawn(async move { flusher.run().await });
        }
        wait_for_lease(&foundation.ids).await;
        let (settings, admins) = official(config);
        store::patiently(status, || channels.prepare_official(&settings, &admins)).await?;
        store::patiently(status, || channels.open_official()).await?;
        let tokens = keys::tokens(config, (status, &foundation.metrics), &mut tasks).await?;
        let (tracker, closing) = (TaskTracker::new(), CancellationToken::new());
        let Foundation { store, ids, hub, bus, metrics, .. } = foundation;
        let (lingering, written, turns) = Default::default();
        let gateway = Arc::new(Gateway {
            tokens,
            channels,
            store,
            hub,
            bus,
            ids,
            clock,
            rates: Arc::new(Rates::new(&limits)),
            limits,
            metrics,
            presence,
            lingering,
            written,
            turns,
            tracker,
            closing,
        });
        if let Some(retention) = retention(config) {
            tasks.spawn(Arc::clone(&gateway.channels).keep_forgetting(retention));
        }
        tasks.spawn(gateway::keep_sweeping(Arc::downgrade(&gateway)));
        let status = Arc::clone(status);
        Ok(Self { gateway, status, leaving, lease, _tasks: tasks })
    }

    /// Moves the clients away and ends; gives how many were left at the deadline.
    pub async fn drain(self, plan: Plan) -> usize {
        let drain = Drain {
            status: self.status,
            hub: Arc::clone(&self.gateway.hub),
            tracker: self.gateway.tracker.clone(),
            closing: self.gateway.closing.clone(),
        };
        let left = drain.run(plan).await;
        self.gateway.bus.leave().await;
        self.leaving.cancel();
        // Otherwise the lease ends by itself.
        let _ = tokio::time::timeout(RELEASE_WITHIN, self.lease).await;
        left
    }
}

fn official(config: &Config) -> (GroupSettings, Vec<UserId>) {
    let OfficialGroupConfig { name, topic, admins, .. } = config.settings.official_group.clone();
    let admin = |id: String| match id.parse() {
        Ok(id) => Some(id),
        Err(error) => {
            tracing::warn!(%error, "an admin of the official group is left out");
            None
        }
    };
    (GroupSettings { name, topic }, admins.into_iter().filter_map(admin).collect())
}

/// How long messages are kept; `None`: for ever.
fn retention(config: &Config) -> Option<Retention> {
    let StoreConfig { bucket, retention, .. } = &config.settings.store;
    Some(Retention { keep_ms: (*retention)?.as_millis(), bucket: (*bucket).into() })
}

fn background(
    (channels, presence): (&Arc<Channels>, &Arc<Presence>),
    mut received: mpsc::Receiver<Received>,
    status: &Arc<Status>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (receiving, noticing) = (Arc::clone(channels), Arc::clone(presence));
    tasks.spawn(async move {
        while let Some(received) = received.recv().await {
            noticing.receive(&received);
            receiving.receive(received);
        }
    });
    let status = Arc::clone(status);
    let report = move |store: Dependency| status.set_store(store);
    tasks.spawn(Arc::clone(channels).keep_comparing(report));
    tasks.spawn(Arc::clone(presence).keep_telling());
    tasks
}

/// The keeper of the lease tries for ever; so this waits for ever.
fn wait_for_lease(ids: &Ids) -> impl Future<Output = ()> + use<> {
    let mut held = ids.watch();
    async move {
        // An error would mean that the keeper has ended, which it does only when told to.
        let _ = held.wait_for(Option::is_some).await;
    }
}
