//! Applies one object by server-side apply. Forced: the operator owns what the spec says, and says so at once when
//! someone else has changed it.

use kube::api::{Api, Patch};

use super::{WriteFailure, applying};
use crate::cache::Child;
use crate::cluster::Cluster;
use crate::reconcile::Context;
use crate::resources::Object;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// It is as it should be.
    Yes,
    /// It was to be made, and something has its name.
    Contested,
}

pub(super) async fn act(ctx: &Context, cluster: &Cluster, object: &Object) -> Result<Applied, WriteFailure> {
    let api: Api<Child> =
        Api::namespaced_with(ctx.client.clone(), &cluster.namespace, &object.kind.resource());
    let params = applying().force();
    ctx.metrics.write(object.kind.name(), "apply");
    tracing::info!(kind = object.kind.name(), "applying");
    let contested = &ctx.cache.contested;
    match api.patch(object.name(), &params, &Patch::Apply(&object.body)).await {
        Ok(live) => {
            ctx.cache.put_child(object.kind, live);
            contested.settle(object.kind, &cluster.namespace, &cluster.name);
            Ok(Applied::Yes)
        }
        Err(kube::Error::Api(status)) if object.is_new() && status.is_conflict() => {
            contested.note(object.kind, &cluster.namespace, &cluster.name);
            Ok(Applied::Contested)
        }
        Err(error) => Err(WriteFailure::new("apply", format!("{} {}", object.kind, object.name()), &error)),
    }
}
