//! The cluster's pods, and what each chat node says of itself on its admin port.

use std::net::IpAddr;
use std::time::Duration;

use crds::NodeReport;
use crds::node::{ADMIN_PORT, REPORT_PATH};
use futures::StreamExt;
use futures::stream;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::{PodState, Seen, read};
use crate::act::DELETION_COST;
use crate::cluster::Cluster;
use crate::reconcile::Context;
use crate::resources::selector_text;

/// Deadline of one report; a busy node is asked again at the next visit.
const REPORT_DEADLINE: Duration = Duration::from_secs(2);
/// Reports asked for at once.
const REPORTS_AT_ONCE: usize = 32;
/// A report is a few hundred bytes.
const MAX_REPORT_BYTES: usize = 64 * 1024;

pub(super) async fn observe(ctx: &Context, cluster: &Cluster) -> Seen<Vec<PodState>> {
    let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &cluster.namespace);
    let params = ListParams::default().labels(&selector_text(&cluster.name));
    let pods = match read(api.list(&params)).await {
        Ok(pods) => pods.items.into_iter().filter(|pod| !has_ended(pod)).collect::<Vec<_>>(),
        Err(why) => return Seen::Unknown(why),
    };
    let mut states: Vec<_> =
        stream::iter(pods).map(|pod| state(ctx, pod)).buffer_unordered(REPORTS_AT_ONCE).collect().await;
    states.sort_by(|a, b| a.name.cmp(&b.name));
    Seen::Known(states)
}

/// An evicted or finished pod stays listed but is no chat node any more.
fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

async fn state(ctx: &Context, pod: Pod) -> PodState {
    PodState {
        ready: is_ready(&pod),
        ends_by: pod.metadata.deletion_timestamp.as_ref().map(|time| time.0),
        cost: pod.annotations().get(DELETION_COST).and_then(|cost| cost.parse().ok()),
        report: report(ctx, &pod).await,
        name: pod.name_any(),
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

async fn report(ctx: &Context, pod: &Pod) -> Seen<NodeReport> {
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
    let Some(address) = address.and_then(|ip| ip.parse::<IpAddr>().ok()) else {
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
