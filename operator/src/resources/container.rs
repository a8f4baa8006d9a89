//! The one container of a chat node's pod.

use std::collections::BTreeMap;

use crds::{ImagePullPolicy, VibeTalkClusterSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, ObjectFieldSelector, Probe,
    ResourceRequirements, SecurityContext, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pod::bindings;
use super::service::PORT_NAME;
use super::{Blueprint, CONTAINER};

/// Name of the volume with the settings.
pub(super) const CONFIG_VOLUME: &str = "config";
/// Name of the port for the platform.
pub(super) const ADMIN_PORT_NAME: &str = "admin";
const CONFIG_DIRECTORY: &str = "/etc/vibetalk";

pub(super) fn build(blueprint: &Blueprint<'_>) -> Container {
    let spec = blueprint.spec;
    Container {
        name: CONTAINER.to_owned(),
        image: Some(blueprint.cluster.image.clone()),
        image_pull_policy: spec.image_pull_policy.map(pull_policy),
        env: Some(environment(spec)),
        ports: Some(vec![
            port(PORT_NAME, crds::node::CHAT_PORT),
            port(ADMIN_PORT_NAME, crds::node::ADMIN_PORT),
        ]),
        resources: Some(spec.pod.resources.clone().unwrap_or_else(default_resources)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                ..Capabilities::default()
            }),
            ..SecurityContext::default()
        }),
        // Up to two minutes to reach the store and lease a server id before the kubelet starts over.
        startup_probe: Some(Probe {
            period_seconds: Some(1),
            failure_threshold: Some(120),
            ..probe("/healthz")
        }),
        readiness_probe: Some(Probe {
            period_seconds: Some(2),
            failure_threshold: Some(2),
            ..probe("/readyz")
        }),
        liveness_probe: Some(Probe {
            period_seconds: Some(10),
            failure_threshold: Some(6),
            timeout_seconds: Some(5),
            ..probe("/healthz")
        }),
        // `kubectl describe` then shows why a node could not start.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(mounts(blueprint.spec)),
        ..Container::default()
    }
}

fn environment(spec: &VibeTalkClusterSpec) -> Vec<EnvVar> {
    let value =
        |name: &str, value: String| EnvVar { name: name.to_owned(), value: Some(value), ..EnvVar::default() };
    let own = vec![
        value("VT_CONFIG", crds::node::CONFIG_PATH.to_owned()),
        value("VT_LISTEN", format!("0.0.0.0:{}", crds::node::CHAT_PORT)),
        value("VT_ADMIN_LISTEN", format!("0.0.0.0:{}", crds::node::ADMIN_PORT)),
        // Beside the grace period. A pod of an earlier revision may start when the settings are newer already, and would
        // be killed before it has drained.
        value("VT_DRAIN_WINDOW", spec.drain.window.to_string()),
        value(crds::binding::ROOT_ENV, crds::binding::ROOT.to_owned()),
        EnvVar {
            name: "POD_NAME".to_owned(),
            value_from: Some(EnvVarSource {
                field_ref: Some(ObjectFieldSelector {
                    field_path: "metadata.name".to_owned(),
                    ..ObjectFieldSelector::default()
                }),
                ..EnvVarSource::default()
            }),
            ..EnvVar::default()
        },
    ];
    let of_user = spec.pod.env.iter().map(|variable| value(&variable.name, variable.value.clone()));
    own.into_iter().chain(of_user).collect()
}

fn port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number.into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(ADMIN_PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}

fn mounts(spec: &VibeTalkClusterSpec) -> Vec<VolumeMount> {
    let mount = |name: &str, path: String| VolumeMount {
        name: name.to_owned(),
        mount_path: path,
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let directories = bindings(spec).into_iter().map(|(directory, _)| directory);
    let secrets = directories.map(|name| mount(name, format!("{}/{name}", crds::binding::ROOT)));
    std::iter::once(mount(CONFIG_VOLUME, CONFIG_DIRECTORY.to_owned())).chain(secrets).collect()
}

fn default_resources() -> ResourceRequirements {
    let quantities = |pairs: &[(&str, &str)]| {
        let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), Quantity((*value).to_owned())));
        Some(owned.collect::<BTreeMap<_, _>>())
    };
    ResourceRequirements {
        requests: quantities(&[("cpu", "100m"), ("memory", "128Mi")]),
        limits: quantities(&[("memory", "512Mi")]),
        ..ResourceRequirements::default()
    }
}

fn pull_policy(policy: ImagePullPolicy) -> String {
    match policy {
        ImagePullPolicy::Always => "Always",
        ImagePullPolicy::IfNotPresent => "IfNotPresent",
        ImagePullPolicy::Never => "Never",
    }
    .to_owned()
}
