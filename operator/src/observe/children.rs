//! The cluster's own objects.

use std::collections::BTreeSet;

use futures::future::join_all;
use kube::api::Api;
use serde_json::Value;

use super::{Children, Seen, read};
use crate::cache::Child;
use crate::cluster::Cluster;
use crate::reconcile::Context;
use crate::resources::{Kind, is_wanted};

/// From the cache, and the kinds of which nothing more is known. The cache holds only what bears the operator's label, so
/// before an object is made the API server is asked whether something else has its name. Of a new cluster, whose names
/// are seldom taken, that shows when its objects are made.
pub(super) async fn observe(ctx: &Context, cluster: &Cluster) -> (Children, BTreeSet<Kind>) {
    let served = |kind| ctx.apis.serves(kind);
    let mut children = ctx.cache.children((&cluster.namespace, &cluster.name), served);
    let is_absent = |kind: &Kind| children.0.get(kind) == Some(&Seen::Known(None)) && served(*kind);
    let absent = Kind::ALL.into_iter().filter(|kind| is_absent(kind) && makes(cluster, *kind));
    let (unsure, doubtful): (BTreeSet<_>, BTreeSet<_>) = absent.partition(|kind| is_new(ctx, cluster, *kind));
    let reads = doubtful.into_iter().map(|kind| async move { (kind, child(ctx, cluster, kind).await) });
    children.0.extend(join_all(reads).await);
    (children, unsure)
}

fn is_new(ctx: &Context, cluster: &Cluster, kind: Kind) -> bool {
    let is_contested = || ctx.cache.contested.has(kind, &cluster.namespace, &cluster.name);
    cluster.status.observed_generation.is_none() && !is_contested()
}

fn makes(cluster: &Cluster, kind: Kind) -> bool {
    let spec = cluster.spec.as_ref().ok().filter(|_| cluster.deleted_at.is_none());
    spec.is_some_and(|spec| is_wanted(spec, kind))
}

async fn child(ctx: &Context, cluster: &Cluster, kind: Kind) -> Seen<Option<Value>> {
    let api: Api<Child> = Api::namespaced_with(ctx.client.clone(), &cluster.namespace, &kind.resource());
    match read(api.get_opt(&cluster.name)).await {
        Ok(found) => Seen::Known(found.map(|child| child.into_body(kind))),
        Err(why) => Seen::Unknown(why),
    }
}
