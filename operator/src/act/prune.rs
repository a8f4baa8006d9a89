//! Deletes a child that is no longer wanted.

use kube::api::{Api, DeleteParams, DynamicObject, Preconditions};

use super::WriteFailure;
use crate::cluster::Cluster;
use crate::plan::Prune;
use crate::reconcile::Context;

pub(super) async fn act(ctx: &Context, cluster: &Cluster, prune: &Prune) -> Result<(), WriteFailure> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(ctx.client.clone(), &cluster.namespace, &prune.kind.resource());
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid: Some(prune.uid.clone()), resource_version: None }),
        ..DeleteParams::background()
    };
    ctx.metrics.write(prune.kind.name(), "delete");
    tracing::info!(kind = prune.kind.name(), "deleting what is no longer wanted");
    match api.delete(&cluster.name, &params).await {
        Ok(_) => Ok(()),
        // Gone already, or another object of the name: both mean that the old one is gone.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(WriteFailure::new("delete", format!("{} {}", prune.kind, cluster.name), &error)),
    }
}
