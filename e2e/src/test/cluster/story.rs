//! A chat cluster is changed, moved and emptied, and loses what it stands on, while its users talk.

mod credentials;
mod eviction;
mod image;
mod node_loss;
mod partitions;
mod scaling;
mod town;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::test::world::World;
use town::Town;

/// How long a user may wait for a message while something is done in an orderly way.
const DELIVERED_WITHIN: Duration = Duration::from_secs(20);
/// The same while a machine is dead: the client has to find out first.
const DELIVERED_AT_LAST: Duration = Duration::from_secs(60);
/// Fewer deliveries than this prove nothing.
const DELIVERIES_AT_LEAST: usize = 10_000;

pub async fn tell(world: Arc<World>) -> Result<()> {
    let mut town = Town::build(&world).await?;
    let told = happenings(&town).await;
    let judged = town.judge().await;
    if let (Err(error), Err(_)) = (&judged, &told) {
        println!("    at the end: {error:#}");
    }
    told?;
    let tally = judged?;
    println!("    in all: {tally}");
    ensure!(tally.deliveries >= DELIVERIES_AT_LEAST, "{} deliveries only", tally.deliveries);
    town.leave().await
}

async fn happenings(town: &Town) -> Result<()> {
    town.suffers("another image", DELIVERED_WITHIN, image::rolled(town)).await?;
    town.suffers("3 chat nodes become 2", DELIVERED_WITHIN, scaling::to(town, 2)).await?;
    town.suffers("2 chat nodes become 3", DELIVERED_WITHIN, scaling::to(town, 3)).await?;
    town.suffers("4 partitions become 16", DELIVERED_WITHIN, partitions::moved(town, 16)).await?;
    let kill = partitions::moved_by_two_operators(town, 6);
    town.suffers("16 become 6, and the operator is killed on the way", DELIVERED_WITHIN, kill).await?;
    town.suffers("routing by user", DELIVERED_WITHIN, partitions::rerouted(town)).await?;
    town.suffers("other credentials", DELIVERED_WITHIN, credentials::rotated(town)).await?;
    town.suffers("every chat node is evicted", DELIVERED_WITHIN, eviction::of_all(town)).await?;
    town.suffers("a machine dies", DELIVERED_AT_LAST, node_loss::survived(town)).await
}
