//! The cluster's pods, and what each chat node says of itself on its admin port.

use std::time::Duration;

use crds::NodeReport;
use crds::node::{ADMIN_PORT, REPORT_PATH};
use futures::StreamExt;
use futures::stream;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};

use super::{Children, PodState, Seen, read};
use crate::cache::PodFacts;
use crate::cluster::Cluster;
use crate::reconcile::Context;
use crate::resources::{Kind, order_of, selector_text};

/// Deadline of one report; a busy node is asked again at the next visit.
const REPORT_DEADLINE: Duration = Duration::from_secs(2);
/// Reports asked for at once.
const REPORTS_AT_ONCE: usize = 32;
/// A report is a few hundred bytes.
const MAX_REPORT_BYTES: usize = 64 * 1024;

/// The pods and their reports. While the epochs change, the API server itself is asked for the pods: a chat node that
/// started a moment ago and that the watch has not told of yet must not be forgotten.
pub(super) async fn observe(ctx: &Context, cluster: &Cluster) -> Seen<Vec<PodState>> {
    let pods = if is_told_to_move(cluster) {
        listed(ctx, cluster).await
    } else {
        ctx.cache.pods(&cluster.namespace, &cluster.name)
    };
    reports(ctx, pods).await
}

/// The same once more, if the objects say that the epochs change and the status did not know yet.
pub(super) async fn observe_again(
    ctx: &Context,
    cluster: &Cluster,
    children: &Children,
) -> Option<Seen<Vec<PodState>>> {
    let order = children.get(Kind::ConfigMap).and_then(order_of);
    let is_one = order.map_or_else(|| is_new(cluster), |order| order.listen.len() == 1);
    if is_one || is_told_to_move(cluster) {
        return None;
    }
    Some(reports(ctx, listed(ctx, cluster).await).await)
}

/// What the chat node in each pod says of itself.
async fn reports(ctx: &Context, pods: Seen<Vec<PodFacts>>) -> Seen<Vec<PodState>> {
    let pods = match pods {
        Seen::Known(pods) => pods,
        Seen::Unknown(why) => return Seen::Unknown(why),
    };
    let mut states: Vec<_> =
        stream::iter(pods).map(|pod| state(ctx, pod)).buffer_unordered(REPORTS_AT_ONCE).collect().await;
    states.sort_by(|a, b| a.name.cmp(&b.name));
    Seen::Known(states)
}

/// Whether the status says that the chat nodes are on their way to other epochs, or not yet rid of earlier ones.
fn is_told_to_move(cluster: &Cluster) -> bool {
    cluster.status.topology.map_or(!is_new(cluster), |topology| topology.step.is_some())
}

/// Whether nothing was made for it yet: it is held before anything is.
fn is_new(cluster: &Cluster) -> bool {
    !cluster.held && cluster.status.topology.is_none()
}

async fn listed(ctx: &Context, cluster: &Cluster) -> Seen<Vec<PodFacts>> {
    let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &cluster.namespace);
    let params = ListParams::default().labels(&selector_text(&cluster.name));
    match read(api.list(&params)).await {
        Ok(pods) => Seen::Known(pods.items.iter().filter_map(PodFacts::of).collect()),
        Err(why) => Seen::Unknown(why),
    }
}

async fn state(ctx: &Context, pod: PodFacts) -> PodState {
    let report = report(ctx, &pod).await;
    let PodFacts { name, address, runs, ready, ends_by, cost, .. } = pod;
    PodState { name, address, runs, ready, ends_by, cost, report }
}

async fn report(ctx: &Context, pod: &PodFacts) -> Seen<NodeReport> {
    let Some(address) = pod.address else {
        return Seen::Unknown("the pod has no address yet".to_owned());
    };
    let url = format!("http://{}{REPORT_PATH}", std::net::SocketAddr::new(address, ADMIN_PORT));
    let call = async {
        let response = ctx.http.get(url).send().await.map_err(|error| crate::http::explain(&error))?;
        if !response.status().is_success() {
            return Err(format!("{REPORT_PATH} answered {}", response.status()));
        }
        let body = crate::http::body(response, MAX_REPORT_BYTES).await?;
        serde_json::from_slice(&body).map_err(|error| format!("{REPORT_PATH} is not a node report: {error}"))
    };
    match tokio::time::timeout(REPORT_DEADLINE, call).await {
        Ok(Ok(report)) => Seen::Known(report),
        Ok(Err(why)) => Seen::Unknown(why),
        Err(_) => Seen::Unknown("no answer from the admin port".to_owned()),
    }
}
