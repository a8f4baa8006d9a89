//! A chat cluster of a test's own, in a namespace of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use crds::VibeTalkCluster;
use crds::exchange::ClusterKey;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::world::{ROLL, World};
use crate::eventually::eventually;
use crate::product::{FIELD_MANAGER, credentials, ensure_namespace, example};
use crate::traffic::Place;

/// A namespace with the three Secrets, for chat clusters.
pub struct Scene {
    /// The namespace.
    pub namespace: String,
    world: Arc<World>,
    /// What is in the store stays after the namespace, so every time has databases of its own.
    time: u32,
}

impl Scene {
    /// Makes the namespace anew.
    pub async fn open(world: &Arc<World>, namespace: &str) -> Result<Self> {
        let scene = Self { namespace: namespace.to_owned(), world: world.clone(), time: fastrand::u32(..) };
        scene.close().await?;
        ensure_namespace(&world.client, namespace).await?;
        credentials::ensure(&world.client, namespace, &world.target.backends).await?;
        Ok(scene)
    }

    /// Removes the namespace with all in it, and waits until it is gone.
    pub async fn close(&self) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.world.client.clone());
        if namespaces.get_opt(&self.namespace).await?.is_none() {
            return Ok(());
        }
        // First the clusters, whose end needs the Secrets.
        let clusters = self.clusters();
        clusters.delete_collection(&DeleteParams::default(), &Default::default()).await?;
        let what = format!("the chat clusters of {} are gone", self.namespace);
        eventually(&what, ROLL, || async {
            ensure!(clusters.list(&Default::default()).await?.items.is_empty(), "some are left");
            Ok(())
        })
        .await?;
        namespaces.delete(&self.namespace, &DeleteParams::default()).await?;
        let what = format!("the namespace {} is gone", self.namespace);
        eventually(&what, ROLL, || async {
            ensure!(namespaces.get_opt(&self.namespace).await?.is_none(), "it is there");
            Ok(())
        })
        .await
    }

    /// The API of its chat clusters.
    pub fn clusters(&self) -> Api<VibeTalkCluster> {
        Api::namespaced(self.world.client.clone(), &self.namespace)
    }

    /// Makes a chat cluster, small and quick to end, with `changes` merged into its spec.
    pub async fn apply(&self, name: &str, changes: Value) -> Result<VibeTalkCluster> {
        let object = self.manifest(name, changes);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.clusters()
            .patch(name, &params, &Patch::Apply(&object))
            .await
            .with_context(|| format!("cannot apply the chat cluster {name}"))
    }

    /// What [`Self::apply`] applies.
    pub fn manifest(&self, name: &str, changes: Value) -> Value {
        let mut spec = json!({
            "replicas": 1,
            "rabbitmq": { "secretRef": { "name": credentials::RABBITMQ }, "partitions": 2 },
            "mongodb": {
                "secretRef": { "name": credentials::MONGODB },
                "database": format!("{}-{name}-{:08x}", self.namespace, self.time),
            },
            "auth": { "secretRef": { "name": credentials::AUTH } },
            "drain": { "window": "2s" },
        });
        merge(&mut spec, changes);
        json!({
            "apiVersion": "vibetalk.dev/v1alpha1",
            "kind": "VibeTalkCluster",
            "metadata": { "name": name, "namespace": self.namespace },
            "spec": spec,
        })
    }

    /// Merges `changes` into the spec of a chat cluster that exists.
    pub async fn change(&self, name: &str, changes: Value) -> Result<VibeTalkCluster> {
        let patch = Patch::Merge(json!({ "spec": changes }));
        let changed = self.clusters().patch(name, &PatchParams::default(), &patch).await;
        changed.with_context(|| format!("cannot change the chat cluster {name}"))
    }

    /// Waits until a chat cluster is ready.
    pub async fn ready(&self, name: &str) -> Result<VibeTalkCluster> {
        let what = format!("{}/{name} is ready", self.namespace);
        eventually(&what, ROLL, || example::ready(&self.world.client, &self.namespace, name)).await
    }

    /// Deletes a chat cluster and waits until it is gone.
    pub async fn delete(&self, name: &str, patience: Duration) -> Result<()> {
        self.clusters().delete(name, &DeleteParams::default()).await?;
        let what = format!("{}/{name} is gone", self.namespace);
        eventually(&what, patience, || async {
            match self.clusters().get_opt(name).await? {
                None => Ok(()),
                Some(cluster) => bail!("it has the finalizers {:?}", cluster.metadata.finalizers),
            }
        })
        .await
    }

    /// What the names of a chat cluster's exchanges begin with.
    pub fn exchange_prefix(&self, name: &str) -> String {
        ClusterKey::new(&self.namespace, name).prefix()
    }

    /// Where the users of the chat cluster at a host name go.
    pub async fn place(&self, host: &str) -> Result<Place> {
        let key = credentials::signing_key(&self.world.client, &self.namespace).await?;
        Ok(Place { gateway: self.world.gateway.with_host(host), key })
    }
}

/// Merges `changes` into `value`, object by object.
fn merge(value: &mut Value, changes: Value) {
    match (value, changes) {
        (Value::Object(fields), Value::Object(changes)) => {
            for (name, change) in changes {
                merge(fields.entry(name).or_insert(Value::Null), change);
            }
        }
        (value, change) => *value = change,
    }
}
