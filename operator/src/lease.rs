//! Only one operator works at a time: the holder of the Lease `vibetalk-operator`. Another takes over when the
//! holder has not renewed it for its length, or has handed it back.

use std::time::Duration;

use k8s_openapi::api::coordination::v1 as coordination;
use kube::Client;
use kube::api::Api;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::MANAGER;
use crate::backoff::jitter;

const LENGTH_SECONDS: u64 = 15;
/// Renewed this long before its end.
const GRACE_SECONDS: u64 = 5;
/// How often those who wait look whether it was handed back.
const LOOK: Duration = Duration::from_secs(1);
/// For one look.
const DEADLINE: Duration = Duration::from_secs(5);

/// A place in the queue for the lease, and then the lease itself.
pub struct Lease {
    place: Place,
    keeper: Keeper,
}

/// Who waits, and where.
struct Place {
    client: Client,
    namespace: String,
    identity: String,
}

/// Takes the lease when it has run out, and renews it.
struct Keeper {
    held: watch::Receiver<bool>,
    task: JoinHandle<kube_lease_manager::Result<LeaseManager>>,
}

/// Joins those who wait for the lease.
///
/// # Errors
/// If the Lease can neither be read nor made.
pub async fn join(client: Client, namespace: &str, identity: String) -> kube_lease_manager::Result<Lease> {
    let place = Place { client, namespace: namespace.to_owned(), identity };
    let keeper = place.keeper().await?;
    Ok(Lease { place, keeper })
}

impl Place {
    async fn keeper(&self) -> kube_lease_manager::Result<Keeper> {
        let manager = LeaseManagerBuilder::new(self.client.clone(), MANAGER)
            .with_namespace(&self.namespace)
            .with_field_manager(format!("{MANAGER}-{}", self.identity))
            .with_identity(&self.identity)
            .with_duration(LENGTH_SECONDS)
            .with_grace(GRACE_SECONDS)
            .build()
            .await?;
        let (held, task) = manager.watch().await;
        Ok(Keeper { held, task })
    }

    async fn keeper_at_last(&self) -> Keeper {
        loop {
            match self.keeper().await {
                Ok(keeper) => return keeper,
                Err(error) => tracing::warn!(%error, "cannot look at the lease that was handed back"),
            }
            tokio::time::sleep(jitter(LOOK)).await;
        }
    }

    /// Waits until nobody holds the lease.
    async fn handed_back(&self) {
        let api: Api<coordination::Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        loop {
            tokio::time::sleep(jitter(LOOK)).await;
            // Whether the API server answers is the keeper's concern.
            let Ok(Ok(Some(lease))) = tokio::time::timeout(DEADLINE, api.get_opt(MANAGER)).await else {
                continue;
            };
            let holder = lease.spec.and_then(|spec| spec.holder_identity);
            if holder.is_none_or(|holder| holder.is_empty()) {
                return;
            }
        }
    }
}

impl Lease {
    /// Waits until the lease is held.
    ///
    /// # Errors
    /// If its keeper has ended.
    pub async fn won(&mut self) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                held = self.keeper.held.wait_for(|held| *held) => return Ok(held.map(drop)?),
                () = self.place.handed_back() => {}
            }
            // A keeper sleeps until the end of the lease that it saw last; another one looks at once. Two at a time would get
            // in each other's way.
            self.keeper.task.abort();
            let _ = (&mut self.keeper.task).await;
            self.keeper = self.place.keeper_at_last().await;
        }
    }

    /// Waits until the lease is no longer held.
    pub async fn lost(&mut self) {
        // A keeper that has ended renews no more, which comes to the same.
        let _ = self.keeper.held.wait_for(|held| !*held).await;
    }

    /// Hands the lease back, so that the next need not wait for its end.
    pub async fn hand_back(self) {
        drop(self.keeper.held);
        // It may have been ended and waited for.
        if self.keeper.task.is_finished() {
            return;
        }
        if let Ok(Err(error)) = self.keeper.task.await {
            tracing::warn!(%error, "cannot hand the lease back");
        }
    }
}
