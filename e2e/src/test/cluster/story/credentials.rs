//! Other passwords.

use anyhow::{Context, Result, ensure};
use mongodb::bson::doc;

use super::town::{SIZE, Town, names};
use crate::product::credentials;
use crate::test::scene::Scene;
use crate::test::world::World;

/// The broker's user of the story.
const BROKER_USER: &str = "story";
/// The store's users of the story, one after the other.
const STORE_USERS: [&str; 2] = ["story-1", "story-2"];

/// Gives the namespace logins of its own.
pub async fn first(world: &World, scene: &Scene) -> Result<()> {
    set_broker(world, scene).await?;
    set_store(world, scene, STORE_USERS[0]).await
}

/// The broker's user gets another password, the store another user. When all have the new ones, the old user is removed.
pub async fn rotated(town: &Town) -> Result<()> {
    let before = names(&town.pods().await?);
    set_broker(&town.world, &town.scene).await?;
    set_store(&town.world, &town.scene, STORE_USERS[1]).await?;
    crate::eventually::eventually("all pods are replaced", super::town::WELL_WITHIN, || async {
        let now = names(&town.pods().await?);
        ensure!(now.is_disjoint(&before), "{now:?}");
        Ok(())
    })
    .await?;
    town.well(SIZE).await?;
    drop_store_user(&town.world, STORE_USERS[0]).await
}

/// Removes the logins.
pub async fn forget(world: &World, _: &Scene) -> Result<()> {
    world.broker.delete_user(BROKER_USER).await?;
    drop_store_user(world, STORE_USERS[1]).await
}

async fn set_broker(world: &World, scene: &Scene) -> Result<()> {
    let login = world.broker.ensure_user(BROKER_USER, &password()).await?;
    credentials::set_broker(&world.client, &scene.namespace, &login).await
}

async fn set_store(world: &World, scene: &Scene, user: &str) -> Result<()> {
    let password = password();
    let _ = drop_store_user(world, user).await;
    let roles = vec![
        doc! { "role": "readWriteAnyDatabase", "db": "admin" },
        doc! { "role": "clusterAdmin", "db": "admin" },
    ];
    run(world, doc! { "createUser": user, "pwd": &password, "roles": roles })
        .await
        .with_context(|| format!("the store takes no user {user}"))?;
    let uri = &world.target.backends.mongodb_uri;
    let (_, rest) = uri.split_once('@').context("the store's URI has no login")?;
    let uri = format!("mongodb://{user}:{password}@{rest}");
    credentials::set_store(&world.client, &scene.namespace, &uri).await
}

async fn drop_store_user(world: &World, user: &str) -> Result<()> {
    run(world, doc! { "dropUser": user }).await
}

async fn run(world: &World, command: mongodb::bson::Document) -> Result<()> {
    let client = mongodb::Client::with_uri_str(&world.target.backends.mongodb_uri).await?;
    client.database("admin").run_command(command).await?;
    Ok(())
}

fn password() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(24).collect()
}
