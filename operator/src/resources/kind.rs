//! The kinds of objects that a cluster can have.

use std::fmt;

use k8s_openapi::api::{apps, autoscaling, core, networking, policy};
use kube::api::ApiResource;
use kube::core::GroupVersionKind;

/// Kinds of children, in the order in which they are written: what a pod needs comes before the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Identity of the pods, without rights.
    ServiceAccount,
    /// The chat nodes' settings.
    ConfigMap,
    /// The address inside the Kubernetes cluster.
    Service,
    /// Who may reach the chat nodes.
    NetworkPolicy,
    /// The chat nodes.
    Deployment,
    /// How many of them may be evicted at once.
    PodDisruptionBudget,
    /// Sets `spec.replicas` of the resource.
    HorizontalPodAutoscaler,
    /// The same by KEDA.
    ScaledObject,
    /// The way in from outside.
    Ingress,
    /// The same by the Gateway API.
    HttpRoute,
    /// Tells Prometheus of the chat nodes.
    PodMonitor,
    /// Alerts.
    PrometheusRule,
}

impl Kind {
    /// Every kind, in the order of writing.
    pub const ALL: [Self; 12] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Service,
        Self::NetworkPolicy,
        Self::Deployment,
        Self::PodDisruptionBudget,
        Self::HorizontalPodAutoscaler,
        Self::ScaledObject,
        Self::Ingress,
        Self::HttpRoute,
        Self::PodMonitor,
        Self::PrometheusRule,
    ];

    /// Where the API server keeps it.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => ApiResource::erase::<core::v1::ServiceAccount>(&()),
            Self::ConfigMap => ApiResource::erase::<core::v1::ConfigMap>(&()),
            Self::Service => ApiResource::erase::<core::v1::Service>(&()),
            Self::NetworkPolicy => ApiResource::erase::<networking::v1::NetworkPolicy>(&()),
            Self::Deployment => ApiResource::erase::<apps::v1::Deployment>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<policy::v1::PodDisruptionBudget>(&()),
            Self::HorizontalPodAutoscaler => {
                ApiResource::erase::<autoscaling::v2::HorizontalPodAutoscaler>(&())
            }
            Self::Ingress => ApiResource::erase::<networking::v1::Ingress>(&()),
            Self::ScaledObject => optional("keda.sh", "v1alpha1", self),
            Self::HttpRoute => optional("gateway.networking.k8s.io", "v1", self),
            Self::PodMonitor | Self::PrometheusRule => optional("monitoring.coreos.com", "v1", self),
        }
    }

    /// The kind's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::Deployment => "Deployment",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::ScaledObject => "ScaledObject",
            Self::Ingress => "Ingress",
            Self::HttpRoute => "HTTPRoute",
            Self::PodMonitor => "PodMonitor",
            Self::PrometheusRule => "PrometheusRule",
        }
    }

    /// Whether a Kubernetes cluster may do without it.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::ScaledObject | Self::HttpRoute | Self::PodMonitor | Self::PrometheusRule)
    }
}

fn optional(group: &str, version: &str, kind: Kind) -> ApiResource {
    let plural = format!("{}s", kind.name().to_lowercase());
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind.name()), &plural)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_kinds_are_found_where_their_makers_put_them() {
        let path = |kind: Kind| {
            let resource = kind.resource();
            format!("{}/{}", resource.api_version, resource.plural)
        };
        let optional: Vec<_> = Kind::ALL.into_iter().filter(|kind| kind.is_optional()).map(path).collect();
        assert_eq!(
            optional,
            [
                "keda.sh/v1alpha1/scaledobjects",
                "gateway.networking.k8s.io/v1/httproutes",
                "monitoring.coreos.com/v1/podmonitors",
                "monitoring.coreos.com/v1/prometheusrules",
            ]
        );
    }
}
