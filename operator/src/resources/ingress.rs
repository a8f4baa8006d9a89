//! The way in from outside, with timeouts that WebSocket and long polling need.

use std::collections::BTreeMap;

use crds::IngressExposure;
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec, IngressTLS, ServiceBackendPort,
};

use super::service::PORT_NAME;
use super::{Blueprint, metadata};

/// For the community's ingress-nginx; other controllers ignore them. A quiet WebSocket outlives the usual 60 s
/// (heartbeats come every 30 s, but a suspended laptop sends none), answers are not held back, and no request needs
/// a large body.
const ANNOTATIONS: [(&str, &str); 4] = [
    ("nginx.ingress.kubernetes.io/proxy-body-size", "1m"),
    ("nginx.ingress.kubernetes.io/proxy-buffering", "off"),
    ("nginx.ingress.kubernetes.io/proxy-read-timeout", "3600"),
    ("nginx.ingress.kubernetes.io/proxy-send-timeout", "3600"),
];

pub(super) fn build(blueprint: &Blueprint<'_>, exposure: &IngressExposure) -> Ingress {
    let mut metadata = metadata(blueprint.cluster);
    metadata.annotations = Some(annotations(exposure));
    Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: exposure.class_name.clone(),
            rules: Some(vec![rule(&blueprint.cluster.name, exposure.host.clone())]),
            tls: exposure.tls.as_ref().map(|tls| {
                let hosts = exposure.host.clone().map(|host| vec![host]);
                vec![IngressTLS { hosts, secret_name: Some(tls.secret_name.clone()) }]
            }),
            ..IngressSpec::default()
        }),
        ..Ingress::default()
    }
}

fn annotations(exposure: &IngressExposure) -> BTreeMap<String, String> {
    let own = ANNOTATIONS.map(|(key, value)| (key.to_owned(), value.to_owned()));
    own.into_iter().chain(exposure.annotations.clone()).collect()
}

fn rule(service: &str, host: Option<String>) -> IngressRule {
    IngressRule {
        host,
        http: Some(HTTPIngressRuleValue {
            paths: vec![HTTPIngressPath {
                path: Some("/".to_owned()),
                path_type: "Prefix".to_owned(),
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
            }],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_annotations_win() {
        let exposure = IngressExposure {
            annotations: BTreeMap::from([(ANNOTATIONS[0].0.to_owned(), "8m".to_owned())]),
            ..IngressExposure::default()
        };
        assert_eq!(annotations(&exposure)[ANNOTATIONS[0].0], "8m");
        assert_eq!(annotations(&exposure)[ANNOTATIONS[2].0], "3600");
    }
}
