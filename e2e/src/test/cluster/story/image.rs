//! Another image.

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde_json::json;

use super::town::{SIZE, Town, names};
use crate::test::world::World;

/// The chat node's image under another name, as that of an earlier release.
pub async fn earlier(world: &World) -> Result<String> {
    let image = &world.target.images.chat_node;
    let alias = format!("{image}-earlier");
    try_join_all(world.local.nodes.iter().map(|node| node.tag(image, &alias))).await?;
    Ok(alias)
}

/// From the earlier image to the operator's own.
pub async fn rolled(town: &Town) -> Result<()> {
    let before = names(&town.pods().await?);
    town.change(json!({ "image": null })).await?;
    town.well(SIZE).await?;
    let pods = town.pods().await?;
    ensure!(names(&pods).is_disjoint(&before), "not all pods of {before:?} were replaced");
    let wanted = town.world.target.images.chat_node.as_str();
    for pod in &pods {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let images: Vec<_> = containers.filter_map(|container| container.image.as_deref()).collect();
        ensure!(images == [wanted], "a pod has {images:?}");
    }
    Ok(())
}
