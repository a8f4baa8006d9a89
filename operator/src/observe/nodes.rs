//! The cluster's pods, and what each chat node says of itself on its admin port.

use std::time::Duration;

use crds::NodeReport;
use crds::node::{ADMIN_PORT, REPORT_PATH};
use futures::StreamExt;
use futures::stream;

use super::{PodState, Seen};
use crate::cache::PodFacts;
use crate::cluster::Cluster;
use crate::reconcile::Context;

/// Deadline of one report; a busy node is asked again at the next visit.
const REPORT_DEADLINE: Duration = Duration::from_secs(2);
/// Reports asked for at once.
const REPORTS_AT_ONCE: usize = 32;
/// A report is a few hundred bytes.
const MAX_REPORT_BYTES: usize = 64 * 1024;

pub(super) async fn observe(ctx: &Context, cluster: &Cluster) -> Seen<Vec<PodState>> {
    let pods = match ctx.cache.pods(&cluster.namespace, &cluster.name) {
        Seen::Known(pods) => pods,
        Seen::Unknown(why) => return Seen::Unknown(why),
    };
    let mut states: Vec<_> =
        stream::iter(pods).map(|pod| state(ctx, pod)).buffer_unordered(REPORTS_AT_ONCE).collect().await;
    states.sort_by(|a, b| a.name.cmp(&b.name));
    Seen::Known(states)
}

async fn state(ctx: &Context, pod: PodFacts) -> PodState {
    let report = report(ctx, &pod).await;
    let PodFacts { name, ready, ends_by, cost, .. } = pod;
    PodState { name, ready, ends_by, cost, report }
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
