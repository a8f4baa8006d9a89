//! When nothing happens, the operator writes nothing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};

use crate::product::SYSTEM;
use crate::test::audit;
use crate::test::world::World;

const MINUTE: Duration = Duration::from_secs(60);

pub async fn minute(world: Arc<World>) -> Result<()> {
    world.scale_demo(2).await?;
    // What earlier tests set off may still be on its way into the status.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let begin = SystemTime::now();
    tokio::time::sleep(MINUTE).await;
    let log = audit::log(&world.local.paths);
    let writes = audit::writes(&log, &format!("system:serviceaccount:{SYSTEM}:"), begin).await?;
    // It renews its lease, which shows also that the log is being written.
    let (lease, others): (Vec<_>, Vec<_>) = writes.into_iter().partition(|write| write.resource == "leases");
    ensure!(!lease.is_empty(), "the operator did not even renew its lease: is {} written?", log.display());
    ensure!(others.is_empty(), "an idle minute made {} writes: {others:?}", others.len());
    Ok(())
}
