//! What each ingress controller must be told so that WebSockets, event streams and long polls last. No affinity: any
//! chat node answers any request.
//!
//! Sources: `https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/`,
//! `https://docs.nginx.com/nginx-ingress-controller/configuration/ingress-resources/advanced-configuration-with-annotations/`,
//! `https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/`,
//! `https://azure.github.io/application-gateway-kubernetes-ingress/annotations/`.

use std::collections::BTreeMap;

use crds::{Drain, IngressController, IngressExposure};

/// A quiet connection outlives the usual 60 s: heartbeats come every 30 s, but a suspended laptop sends none.
const IDLE_SECONDS: u32 = 3_600;
/// No request needs a larger body.
const BODY_SIZE: &str = "1m";
/// The longest that Azure's gateway waits for connections to a pod that ends.
const MAX_AZURE_DRAIN_SECONDS: u32 = 3_600;

/// The annotations for the controller, and those of the user, which win.
pub(super) fn annotations(
    service: &str,
    exposure: &IngressExposure,
    drain: &Drain,
) -> BTreeMap<String, String> {
    let own = match exposure.controller {
        IngressController::IngressNginx => ingress_nginx(exposure),
        IngressController::F5Nginx => f5_nginx(service, exposure),
        IngressController::AwsAlb => aws_alb(exposure, drain),
        IngressController::AzureApplicationGateway => azure(exposure, drain),
        IngressController::Other => Vec::new(),
    };
    let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
    own.chain(exposure.annotations.clone()).collect()
}

type Annotations = Vec<(&'static str, String)>;

fn ingress_nginx(exposure: &IngressExposure) -> Annotations {
    let mut all = vec![
        ("nginx.ingress.kubernetes.io/proxy-body-size", BODY_SIZE.to_owned()),
        ("nginx.ingress.kubernetes.io/proxy-read-timeout", IDLE_SECONDS.to_string()),
        ("nginx.ingress.kubernetes.io/proxy-send-timeout", IDLE_SECONDS.to_string()),
    ];
    if !exposure.path.prefix().is_empty() {
        // The second group of the path, see `super::rule`.
        all.push(("nginx.ingress.kubernetes.io/rewrite-target", "/$2".to_owned()));
        all.push(("nginx.ingress.kubernetes.io/use-regex", "true".to_owned()));
    }
    all
}

fn f5_nginx(service: &str, exposure: &IngressExposure) -> Annotations {
    let mut all = vec![
        ("nginx.org/client-max-body-size", BODY_SIZE.to_owned()),
        ("nginx.org/proxy-buffering", "False".to_owned()),
        ("nginx.org/proxy-read-timeout", format!("{IDLE_SECONDS}s")),
        ("nginx.org/proxy-send-timeout", format!("{IDLE_SECONDS}s")),
        ("nginx.org/websocket-services", service.to_owned()),
    ];
    if !exposure.path.prefix().is_empty() {
        all.push(("nginx.org/rewrites", format!("serviceName={service} rewrite=/")));
    }
    all
}

fn aws_alb(exposure: &IngressExposure, drain: &Drain) -> Annotations {
    let mut all = vec![
        ("alb.ingress.kubernetes.io/healthcheck-path", "/".to_owned()),
        (
            "alb.ingress.kubernetes.io/load-balancer-attributes",
            format!("idle_timeout.timeout_seconds={IDLE_SECONDS}"),
        ),
        (
            "alb.ingress.kubernetes.io/target-group-attributes",
            format!("deregistration_delay.timeout_seconds={}", drain.window.as_seconds()),
        ),
        // Straight to the pods: the Service has no port on the machines.
        ("alb.ingress.kubernetes.io/target-type", "ip".to_owned()),
    ];
    if exposure.tls.is_some() {
        all.push(("alb.ingress.kubernetes.io/listen-ports", r#"[{"HTTP":80},{"HTTPS":443}]"#.to_owned()));
        all.push(("alb.ingress.kubernetes.io/ssl-redirect", "443".to_owned()));
    }
    all
}

fn azure(exposure: &IngressExposure, drain: &Drain) -> Annotations {
    let drain_seconds = drain.window.as_seconds().min(MAX_AZURE_DRAIN_SECONDS);
    let mut all = vec![
        ("appgw.ingress.kubernetes.io/connection-draining", "true".to_owned()),
        ("appgw.ingress.kubernetes.io/connection-draining-timeout", drain_seconds.to_string()),
        ("appgw.ingress.kubernetes.io/health-probe-path", "/".to_owned()),
        ("appgw.ingress.kubernetes.io/request-timeout", IDLE_SECONDS.to_string()),
    ];
    if !exposure.path.prefix().is_empty() {
        all.push(("appgw.ingress.kubernetes.io/backend-path-prefix", "/".to_owned()));
    }
    if exposure.tls.is_some() {
        all.push(("appgw.ingress.kubernetes.io/ssl-redirect", "true".to_owned()));
    }
    all
}
