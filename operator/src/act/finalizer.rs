//! Holds the resource until its exchanges are gone, and lets it go. By server-side apply, so that finalizers of
//! others stay, and with the uid, so that a resource that is gone is not made anew.

use kube::Resource;
use kube::api::{Api, Patch};
use serde_json::json;

use super::{WriteFailure, applying};
use crate::FINALIZER;
use crate::cluster::{Cluster, RawCluster};
use crate::reconcile::Context;

pub(super) async fn add(ctx: &Context, cluster: &Cluster) -> Result<(), WriteFailure> {
    match write(ctx, cluster, &[FINALIZER]).await {
        Ok(held) => {
            ctx.cache.clusters.put(held);
            Ok(())
        }
        Err(error) => Err(failure("hold", cluster, &error)),
    }
}

pub(super) async fn remove(ctx: &Context, cluster: &Cluster) -> Result<(), WriteFailure> {
    ctx.cache.clusters.forget(&cluster.namespace, &cluster.name);
    ctx.cache.contested.forget(&cluster.namespace, &cluster.name);
    match write(ctx, cluster, &[]).await {
        Ok(_) => Ok(()),
        // Gone already, or a newer resource of the name.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(failure("let go", cluster, &error)),
    }
}

async fn write(ctx: &Context, cluster: &Cluster, finalizers: &[&str]) -> kube::Result<RawCluster> {
    let api: Api<RawCluster> = Api::namespaced(ctx.client.clone(), &cluster.namespace);
    let patch = json!({
        "apiVersion": RawCluster::api_version(&()),
        "kind": RawCluster::kind(&()),
        "metadata": { "name": cluster.name, "uid": cluster.uid, "finalizers": finalizers },
    });
    ctx.metrics.write("VibeTalkCluster", "apply");
    api.patch(&cluster.name, &applying(), &Patch::Apply(patch)).await
}

fn failure(verb: &'static str, cluster: &Cluster, error: &kube::Error) -> WriteFailure {
    WriteFailure::new(verb, format!("VibeTalkCluster {}", cluster.name), error)
}
