//! The way in through an ingress controller.

mod annotations;

use crds::{IngressController, IngressExposure};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec, IngressTLS, ServiceBackendPort,
};

use super::service::PORT_NAME;
use super::{Blueprint, metadata};

pub(super) fn build(blueprint: &Blueprint<'_>, exposure: &IngressExposure) -> Ingress {
    let name = &blueprint.cluster.name;
    let mut metadata = metadata(blueprint.cluster);
    metadata.annotations = Some(annotations::annotations(name, exposure, &blueprint.spec.drain));
    Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: exposure.class_name.clone(),
            rules: Some(vec![IngressRule {
                host: exposure.host.clone(),
                http: Some(HTTPIngressRuleValue { paths: vec![path(name, exposure)] }),
            }]),
            tls: exposure.tls.as_ref().map(|tls| {
                let hosts = exposure.host.clone().map(|host| vec![host]);
                vec![IngressTLS { hosts, secret_name: Some(tls.secret_name.clone()) }]
            }),
            ..IngressSpec::default()
        }),
        ..Ingress::default()
    }
}

fn path(service: &str, exposure: &IngressExposure) -> HTTPIngressPath {
    let (path, path_type) = match (exposure.path.prefix(), exposure.controller) {
        ("", _) => ("/".to_owned(), "Prefix"),
        // The community's controller takes a prefix off by a pattern only; the second group is what is left.
        (prefix, IngressController::IngressNginx) => (format!("{prefix}(/|$)(.*)"), "ImplementationSpecific"),
        // A slash at the end, so that what is left begins with the one of the rewrite.
        (prefix, IngressController::F5Nginx) => (format!("{prefix}/"), "Prefix"),
        (prefix, _) => (prefix.to_owned(), "Prefix"),
    };
    HTTPIngressPath {
        path: Some(path),
        path_type: path_type.to_owned(),
        backend: IngressBackend {
            service: Some(IngressServiceBackend {
                name: service.to_owned(),
                port: Some(ServiceBackendPort {
                    name: Some(PORT_NAME.to_owned()),
                    ..ServiceBackendPort::default()
                }),
            }),
            ..IngressBackend::default()
        },
    }
}

#[cfg(test)]
mod tests;
