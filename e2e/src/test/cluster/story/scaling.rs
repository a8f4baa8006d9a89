//! `kubectl scale`.

use anyhow::{Result, ensure};

use super::town::{NAME, Town, names};

pub async fn to(town: &Town, size: usize) -> Result<()> {
    let before = names(&town.pods().await?);
    let (replicas, cluster) = (format!("--replicas={size}"), format!("vtc/{NAME}"));
    let scale = ["scale", &cluster, &replicas, "--namespace", &town.scene.namespace];
    town.world.target.access.kubectl(scale).output().await?;
    town.well(size).await?;
    let after = names(&town.pods().await?);
    ensure!(before.is_subset(&after) || after.is_subset(&before), "{before:?} became {after:?}");
    Ok(())
}
