//! How few chat nodes were ready at any moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use tokio_util::task::AbortOnDropHandle;

use super::world::{World, is_ready, selector};

/// A chat node that ends and comes anew takes longer.
const GLANCE: Duration = Duration::from_millis(100);
const NEVER_LOOKED: usize = usize::MAX;

/// Looks at the chat nodes of a cluster until dropped.
pub struct Fewest {
    ready: Arc<AtomicUsize>,
    _looking: AbortOnDropHandle<()>,
}

impl Fewest {
    /// Begins to look.
    pub fn watch(world: &World, namespace: &str, cluster: &str) -> Self {
        let pods: Api<Pod> = Api::namespaced(world.client.clone(), namespace);
        let ready = Arc::new(AtomicUsize::new(NEVER_LOOKED));
        let params = ListParams::default().labels(&selector(cluster));
        let looking = tokio::spawn(look(pods, params, ready.clone()));
        Self { ready, _looking: AbortOnDropHandle::new(looking) }
    }

    /// The fewest that were ready at the same time so far; nothing if no look was finished.
    pub fn ready(&self) -> Option<usize> {
        Some(self.ready.load(Ordering::Relaxed)).filter(|ready| *ready != NEVER_LOOKED)
    }
}

async fn look(pods: Api<Pod>, params: ListParams, fewest: Arc<AtomicUsize>) {
    loop {
        if let Ok(seen) = pods.list(&params).await {
            fewest.fetch_min(seen.items.iter().filter(|pod| is_ready(pod)).count(), Ordering::Relaxed);
        }
        tokio::time::sleep(GLANCE).await;
    }
}
