//! Marks pods by how dear they are. Only just before a scale-down: each mark is a write to a pod.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::{DELETION_COST, WriteFailure};
use crate::cache::Place;
use crate::cluster::Cluster;
use crate::plan::Mark;
use crate::reconcile::Context;

pub(super) async fn act(ctx: &Context, cluster: &Cluster, mark: &Mark) -> Result<(), WriteFailure> {
    let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &cluster.namespace);
    let cost = mark.cost.map(|cost| cost.to_string());
    let patch = json!({ "metadata": { "annotations": { DELETION_COST: cost } } });
    ctx.metrics.write("Pod", "patch");
    tracing::info!(pod = mark.pod, cost = mark.cost, "marking");
    match api.patch_metadata(&mark.pod, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(pod) => {
            let place = Place {
                namespace: cluster.namespace.clone(),
                cluster: cluster.name.clone(),
                name: mark.pod.clone(),
            };
            ctx.cache.mark_pod(&place, pod.metadata.resource_version.as_deref(), mark.cost);
            Ok(())
        }
        // It ended by itself in between.
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(WriteFailure::new("mark", format!("Pod {}", mark.pod), &error)),
    }
}
