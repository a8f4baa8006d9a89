//! Whether the autoscaler works, in its own words.

use crds::VibeTalkClusterSpec;
use crds::condition::{ConditionType, Reason};
use serde_json::Value;

use super::conditions::{self, Verdict};
use crate::observe::Observed;
use crate::resources::{Kind, is_wanted};

const KIND: ConditionType = ConditionType::AutoscalingActive;

pub(super) fn decide(spec: &VibeTalkClusterSpec, observed: &Observed) -> Verdict {
    if spec.autoscaling.is_none() {
        return Verdict::no(KIND, Reason::NotRequested, "spec.autoscaling is absent");
    }
    if spec.hibernates() {
        let message = "spec.replicas is 0: the autoscaler is set aside until it is more";
        return Verdict::no(KIND, Reason::Hibernating, message);
    }
    if is_wanted(spec, Kind::ScaledObject) {
        if observed.lacks(Kind::ScaledObject) {
            return conditions::kind_missing(KIND, Kind::ScaledObject, "leave spec.autoscaling.keda out");
        }
        return verdict(observed.children.get(Kind::ScaledObject), &["Ready"], "Ready");
    }
    let autoscaler = observed.children.get(Kind::HorizontalPodAutoscaler);
    verdict(autoscaler, &["AbleToScale", "ScalingActive"], "ScalingActive")
}

/// What the autoscaler says of itself: it fails where one of `needed` is false, and works once it says `works`.
fn verdict(autoscaler: Option<&Value>, needed: &[&str], works: &str) -> Verdict {
    let none = Vec::new();
    let conditions = autoscaler.and_then(|live| live["status"]["conditions"].as_array()).unwrap_or(&none);
    let find = |type_: &str| conditions.iter().find(|condition| condition["type"] == *type_);
    let failing =
        needed.iter().filter_map(|type_| find(type_)).find(|condition| condition["status"] == "False");
    match (failing, find(works)) {
        (Some(condition), _) => Verdict::no(KIND, Reason::AutoscalerFailing, words(condition)),
        (None, Some(_)) => Verdict::yes(KIND, "the autoscaler follows its metrics"),
        (None, None) => {
            Verdict::unknown(KIND, Reason::NotObserved, "the autoscaler has not looked at the cluster yet")
        }
    }
}

fn words(condition: &Value) -> String {
    let message = condition["message"].as_str().unwrap_or("no further words");
    match condition["reason"].as_str() {
        Some(reason) => format!("{reason}: {message}"),
        None => message.to_owned(),
    }
}
