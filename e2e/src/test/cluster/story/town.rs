//! The chat cluster of the story and its users.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use crds::VibeTalkCluster;
use crds::node::{Dependency, NodeState};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::Api;
use serde_json::{Value, json};

use super::{credentials, image};
use crate::client::{Chat, User, now_ms};
use crate::eventually::eventually;
use crate::product::example;
use crate::test::scene::Scene;
use crate::test::world::{World, is_ready, node_of};
use crate::traffic::{Crowd, Manner, Place, Tally};

/// Name of the chat cluster.
pub const NAME: &str = "story";
const NAMESPACE: &str = "vibetalk-test-story";
const HOST: &str = "story.vibetalk.test";
/// Chat nodes, but for a while.
pub const SIZE: usize = 3;
const MANNER: Manner = Manner { users: 18, in_group: 7, pause: Duration::from_millis(600) };
/// How long all chat nodes may take to come or go, one after the other.
pub const WELL_WITHIN: Duration = Duration::from_secs(150);

/// A chat cluster and its users.
pub struct Town {
    /// Where it is.
    pub world: Arc<World>,
    /// Its namespace.
    pub scene: Scene,
    /// Its users.
    pub crowd: Crowd,
    place: Place,
}

impl Town {
    /// Makes the cluster and lets the users talk.
    pub async fn build(world: &Arc<World>) -> Result<Self> {
        let scene = Scene::open(world, NAMESPACE).await?;
        credentials::first(world, &scene).await?;
        let changes = json!({
            "replicas": SIZE,
            "image": image::earlier(world).await?,
            "rabbitmq": { "partitions": 4 },
            "exposure": { "ingress": { "className": "nginx", "host": HOST } },
        });
        scene.apply(NAME, changes).await?;
        scene.ready(NAME).await?;
        let place = scene.place(HOST).await?;
        let mut met = Vec::new();
        for number in 0..SIZE {
            let scout = User::new(&format!("scout-{number}"), "Scout");
            let login = (&place.key, &scout);
            met.push(Chat::sign_in_elsewhere(&place.gateway, login, &met).await?.server()?);
        }
        let crowd = Crowd::gather(&place, MANNER).await?;
        let town = Self { crowd, world: world.clone(), scene, place };
        town.spread().await?;
        Ok(town)
    }

    /// Lets something happen, and waits until all is well and everybody goes on talking.
    pub async fn suffers(
        &self,
        what: &str,
        delivered_within: Duration,
        happening: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        let (begin, begin_ms, before) = (Instant::now(), now_ms(), self.crowd.tally());
        let cuts = self.crowd.cuts().len();
        happening.await.with_context(|| what.to_owned())?;
        let happened = begin.elapsed();
        self.crowd.goes_on().await.with_context(|| what.to_owned())?;
        let slowest = self.crowd.slowest_since(begin_ms);
        let tally = self.crowd.tally().since(&before);
        println!(
            "    {what}: {:.1} s; {tally}; slowest {:.1} s",
            happened.as_secs_f64(),
            slowest.as_secs_f64()
        );
        let reasons: BTreeSet<String> = self.crowd.cuts().into_iter().skip(cuts).collect();
        for reason in reasons {
            println!("      cut: {reason}");
        }
        ensure!(slowest <= delivered_within, "{what}: a message took {slowest:?}");
        Ok(())
    }

    /// Ends the talk and compares.
    pub async fn judge(&mut self) -> Result<Tally> {
        self.place.judge(&mut self.crowd).await
    }

    /// Removes it.
    pub async fn leave(self) -> Result<()> {
        let Self { world, scene, crowd, .. } = self;
        drop(crowd);
        scene.close().await?;
        credentials::forget(&world, &scene).await
    }

    /// Changes the cluster's spec.
    pub async fn change(&self, changes: Value) -> Result<VibeTalkCluster> {
        self.scene.change(NAME, changes).await
    }

    /// Its pods, ready or not.
    pub async fn pods(&self) -> Result<Vec<Pod>> {
        self.world.pods(&self.scene.namespace, NAME).await
    }

    /// Waits until it has `size` chat nodes as the spec wants them, and no other, and all of them are well.
    pub async fn well(&self, size: usize) -> Result<VibeTalkCluster> {
        let what = format!("{size} chat nodes are as specified, and well");
        eventually(&what, WELL_WITHIN, || self.is_well(size)).await
    }

    async fn is_well(&self, size: usize) -> Result<VibeTalkCluster> {
        let client = &self.world.client;
        let cluster = example::ready(client, &self.scene.namespace, NAME).await?;
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), &self.scene.namespace);
        let deployment = deployments.get(NAME).await?;
        let generation = deployment.metadata.generation;
        let status = deployment.status.unwrap_or_default();
        ensure!(status.observed_generation == generation, "the Deployment is behind");
        let wanted = Some(i32::try_from(size)?);
        let counts = [status.replicas, status.updated_replicas, status.ready_replicas];
        ensure!(counts == [wanted; 3], "all, updated and ready pods are {counts:?}");
        let pods = self.pods().await?;
        ensure!(pods.len() == size && pods.iter().all(is_ready), "{:?}", names(&pods));
        for pod in &pods {
            self.node_is_well(pod).await.with_context(|| pod.name_any())?;
        }
        Ok(cluster)
    }

    async fn node_is_well(&self, pod: &Pod) -> Result<()> {
        let report = self.world.report(pod).await?;
        ensure!(report.state == NodeState::Ready, "it is {:?}", report.state);
        for (what, dependency) in [("the store", &report.store), ("the broker", &report.broker)] {
            if let Dependency::Unreachable { reason } = dependency {
                bail!("{what}: {reason}");
            }
        }
        Ok(())
    }

    /// Each chat node has a server id of its own, and they are on different machines.
    async fn spread(&self) -> Result<()> {
        let pods = self.pods().await?;
        let ids = self.world.server_ids(&pods).await?;
        ensure!(ids.len() == SIZE, "the server ids are {ids:?}");
        let nodes: BTreeSet<&str> = pods.iter().filter_map(node_of).collect();
        let spread = self.world.local.nodes.len().min(SIZE);
        ensure!(nodes.len() == spread, "{SIZE} pods are on {nodes:?}");
        Ok(())
    }
}

/// The names of pods, in order.
pub fn names(pods: &[Pod]) -> BTreeSet<String> {
    pods.iter().map(ResourceExt::name_any).collect()
}
