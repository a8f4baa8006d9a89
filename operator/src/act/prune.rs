//! Deletes a child that is no longer wanted.

use kube::api::{Api, DeleteParams, Preconditions};

use super::WriteFailure;
use crate::cache::Child;
use crate::cluster::Cluster;
use crate::plan::Prune;
use crate::reconcile::Context;

pub(super) async fn act(ctx: &Context, cluster: &Cluster, prune: &Prune) -> Result<(), WriteFailure> {
    let api: Api<Child> =
        Api::namespaced_with(ctx.client.clone(), &cluster.namespace, &prune.kind.resource());
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid: Some(prune.uid.clone()), resource_version: None }),
        ..DeleteParams::background()
    };
    ctx.metrics.write(prune.kind.name(), "delete");
    tracing::info!(kind = prune.kind.name(), "deleting what is no longer wanted");
    let gone = || {
        ctx.cache.remove_child(prune.kind, &cluster.namespace, &cluster.name);
        Ok(())
    };
    match api.delete(&cluster.name, &params).await {
        Ok(answer) => match answer.left() {
            // It is held by someone, and goes when they let go.
            Some(going) => {
                ctx.cache.put_child(prune.kind, going);
                Ok(())
            }
            None => gone(),
        },
        // Gone already, or another object of the name: both mean that the old one is gone.
        Err(kube::Error::Api(status)) if status.is_not_found() => gone(),
        Err(kube::Error::Api(status)) if status.is_conflict() => Ok(()),
        Err(error) => Err(WriteFailure::new("delete", format!("{} {}", prune.kind, cluster.name), &error)),
    }
}
