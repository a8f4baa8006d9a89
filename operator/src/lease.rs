//! Only one operator works at a time: the holder of the Lease `vibetalk-operator`. Another takes over when the
//! holder has not renewed it for its length, or has handed it back.

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::MANAGER;

const LENGTH_SECONDS: u64 = 15;
/// Renewed this long before its end.
const GRACE_SECONDS: u64 = 5;

/// A place in the queue for the lease, and then the lease itself.
pub struct Lease {
    held: watch::Receiver<bool>,
    keeper: JoinHandle<kube_lease_manager::Result<LeaseManager>>,
}

/// Joins those who wait for the lease.
///
/// # Errors
/// If the Lease can neither be read nor made.
pub async fn join(client: Client, namespace: &str, identity: String) -> kube_lease_manager::Result<Lease> {
    let manager = LeaseManagerBuilder::new(client, MANAGER)
        .with_namespace(namespace)
        .with_field_manager(format!("{MANAGER}-{identity}"))
        .with_identity(identity)
        .with_duration(LENGTH_SECONDS)
        .with_grace(GRACE_SECONDS)
        .build()
        .await?;
    let (held, keeper) = manager.watch().await;
    Ok(Lease { held, keeper })
}

impl Lease {
    /// Waits until the lease is held.
    ///
    /// # Errors
    /// If its keeper has ended.
    pub async fn won(&mut self) -> anyhow::Result<()> {
        self.held.wait_for(|held| *held).await?;
        Ok(())
    }

    /// Waits until the lease is no longer held.
    pub async fn lost(&mut self) {
        // A keeper that has ended renews no more, which comes to the same.
        let _ = self.held.wait_for(|held| !*held).await;
    }

    /// Hands the lease back, so that the next need not wait for its end.
    pub async fn hand_back(self) {
        drop(self.held);
        if let Ok(Err(error)) = self.keeper.await {
            tracing::warn!(%error, "cannot hand the lease back");
        }
    }
}
