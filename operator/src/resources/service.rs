//! The address of the chat nodes inside the Kubernetes cluster.

use crds::node::CHAT_PORT;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Blueprint, metadata, selector};

/// Name of the chat port, in the Service and in the pods.
pub(super) const PORT_NAME: &str = "http";

/// Port of the Service.
pub(super) const SERVICE_PORT: i32 = 80;

pub(super) fn build(blueprint: &Blueprint<'_>) -> Service {
    Service {
        metadata: metadata(blueprint.cluster),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(selector(&blueprint.cluster.name)),
            ports: Some(vec![ServicePort {
                name: Some(PORT_NAME.to_owned()),
                port: SERVICE_PORT,
                protocol: Some("TCP".to_owned()),
                target_port: Some(IntOrString::Int(CHAT_PORT.into())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
