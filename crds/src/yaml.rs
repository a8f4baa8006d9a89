//! The CRD as YAML.

use kube::CustomResourceExt;

use crate::VibeTalkCluster;

/// The `CustomResourceDefinition` as a value, for `kubectl apply` and for the chart.
pub fn definition()
-> k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition {
    VibeTalkCluster::crd()
}
