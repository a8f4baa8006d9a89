//! Whether the autoscaler works, in its own words.

use crds::VibeTalkClusterSpec;
use crds::condition::{ConditionType, Reason};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerCondition;

use super::conditions::Verdict;
use crate::observe::Children;

pub(super) fn decide(spec: &VibeTalkClusterSpec, children: &Children) -> Verdict {
    let kind = ConditionType::AutoscalingActive;
    if spec.autoscaling.is_none() {
        return Verdict::no(kind, Reason::NotRequested, "spec.autoscaling is absent");
    }
    let status = children.autoscaler().and_then(|autoscaler| autoscaler.status).unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let find = |type_: &str| conditions.iter().find(|condition| condition.type_ == type_);
    let failing = ["AbleToScale", "ScalingActive"]
        .into_iter()
        .filter_map(find)
        .find(|condition| condition.status == "False");
    match (failing, find("ScalingActive")) {
        (Some(condition), _) => Verdict::no(kind, Reason::AutoscalerFailing, words(condition)),
        (None, Some(_)) => Verdict::yes(kind, "the autoscaler follows the CPU use"),
        (None, None) => {
            Verdict::unknown(kind, Reason::NotObserved, "the autoscaler has not looked at the cluster yet")
        }
    }
}

fn words(condition: &HorizontalPodAutoscalerCondition) -> String {
    let message = condition.message.as_deref().unwrap_or("no further words");
    match &condition.reason {
        Some(reason) => format!("{reason}: {message}"),
        None => message.to_owned(),
    }
}
