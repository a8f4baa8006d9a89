//! An operator that has just started: it knows what is there, and remembers nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use operator::cluster::RawCluster;
use operator::reconcile::{Context, reconcile};
use operator::resources::Kind;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::namespace::{Calls, eventually};

/// One life of the operator.
pub struct Operator {
    context: Arc<Context>,
    calls: Arc<Calls>,
    stop: CancellationToken,
}

impl Operator {
    /// One that has read what is in the namespace; it ends with `stop`.
    pub async fn born(
        context: Arc<Context>,
        calls: Arc<Calls>,
        (namespace, stop): (&str, CancellationToken),
    ) -> Self {
        let operator = Self { context, calls, stop };
        operator.reads(namespace).await;
        operator
    }

    /// Finds out which of the optional kinds there are, and what of them.
    pub async fn learn_kinds(&self, namespace: &str) {
        self.context.apis.probe(&self.context.client).await;
        self.reads(namespace).await;
    }

    async fn reads(&self, namespace: &str) {
        let (scope, Context { cache, apis, .. }) = (Some(namespace.to_owned()), &*self.context);
        eventually("the operator has read what is there", async || {
            cache.unfilled(&scope, |kind| apis.serves(kind)).is_none()
        })
        .await;
    }

    /// Waits until it has seen this version of a cluster's object.
    pub async fn sees(&self, (namespace, name): (&str, &str), kind: Kind, version: &str) {
        eventually(&format!("the operator sees version {version} of {kind} {name}"), async || {
            let children =
                self.context.cache.children((namespace, name), |kind| self.context.apis.serves(kind));
            children.get(kind).is_some_and(|live| live["metadata"]["resourceVersion"] == version)
        })
        .await;
    }

    /// One visit, and how much it wrote to the API server.
    pub async fn visit(&self, raw: RawCluster) -> Result<usize, operator::reconcile::Error> {
        let before = self.calls.writes.load(Ordering::SeqCst);
        reconcile(Arc::new(raw), Instant::now(), self.context.clone()).await?;
        Ok(self.calls.writes.load(Ordering::SeqCst) - before)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
