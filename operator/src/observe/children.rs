//! The cluster's own objects. They all bear its name, so each is one GET.

use futures::future::join_all;
use kube::api::{Api, DynamicObject};
use serde_json::Value;

use super::{Children, Seen, read};
use crate::cluster::Cluster;
use crate::reconcile::Context;
use crate::resources::Kind;

pub(super) async fn observe(ctx: &Context, cluster: &Cluster) -> Children {
    let reads = Kind::ALL.map(|kind| async move { (kind, child(ctx, cluster, kind).await) });
    Children(join_all(reads).await.into_iter().collect())
}

async fn child(ctx: &Context, cluster: &Cluster, kind: Kind) -> Seen<Option<Value>> {
    if !ctx.apis.serves(kind) {
        return Seen::Known(None);
    }
    let api: Api<DynamicObject> =
        Api::namespaced_with(ctx.client.clone(), &cluster.namespace, &kind.resource());
    match read(api.get_opt(&cluster.name)).await {
        Ok(None) => Seen::Known(None),
        Ok(Some(object)) => match serde_json::to_value(object) {
            Ok(value) => Seen::Known(Some(value)),
            Err(error) => Seen::Unknown(error.to_string()),
        },
        Err(why) => Seen::Unknown(why),
    }
}
