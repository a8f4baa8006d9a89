//! Whether Prometheus is told of the chat nodes.

use crds::VibeTalkClusterSpec;
use crds::condition::{ConditionType, Reason};

use super::conditions::{self, Verdict};
use crate::observe::Observed;
use crate::resources::{Kind, is_wanted};

pub(super) fn decide(spec: &VibeTalkClusterSpec, observed: &Observed) -> Verdict {
    let kind = ConditionType::MonitoringReady;
    let wanted: Vec<_> =
        [Kind::PodMonitor, Kind::PrometheusRule].into_iter().filter(|kind| is_wanted(spec, *kind)).collect();
    if wanted.is_empty() {
        let message = "neither spec.monitoring.podMonitor nor spec.monitoring.rules is there";
        return Verdict::no(kind, Reason::NotRequested, message);
    }
    match wanted.iter().find(|kind| observed.lacks(**kind)) {
        Some(missing) => conditions::kind_missing(kind, *missing, "leave spec.monitoring out"),
        None => {
            let names: Vec<_> = wanted.iter().map(|kind| kind.name()).collect();
            Verdict::yes(kind, format!("the Prometheus operator has {}", names.join(" and ")))
        }
    }
}
