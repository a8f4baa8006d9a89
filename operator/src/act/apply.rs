//! Applies one object by server-side apply. Forced: the operator owns what the spec says, and says so at once when
//! someone else has changed it.

use kube::api::{Api, Patch, PatchParams};

use super::WriteFailure;
use crate::MANAGER;
use crate::cache::Child;
use crate::cluster::Cluster;
use crate::reconcile::Context;
use crate::resources::Object;

pub(super) async fn act(ctx: &Context, cluster: &Cluster, object: &Object) -> Result<(), WriteFailure> {
    let api: Api<Child> =
        Api::namespaced_with(ctx.client.clone(), &cluster.namespace, &object.kind.resource());
    let params = PatchParams::apply(MANAGER).force();
    ctx.metrics.write(object.kind.name(), "apply");
    tracing::info!(kind = object.kind.name(), "applying");
    match api.patch(object.name(), &params, &Patch::Apply(&object.body)).await {
        Ok(live) => {
            ctx.cache.put_child(object.kind, live);
            Ok(())
        }
        Err(error) => Err(WriteFailure::new("apply", format!("{} {}", object.kind, object.name()), &error)),
    }
}
