//! The chat nodes' pods.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crds::VibeTalkClusterSpec;
use crds::binding::{auth, mongodb, rabbitmq};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile, SecretVolumeSource,
    Toleration, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::container::{self, CONFIG_VOLUME};
use super::{Blueprint, config_map, labels, spread};

/// A change of the Secrets changes it, and so rolls the pods.
pub(super) const CREDENTIALS_ANNOTATION: &str = "vibetalk.dev/credentials";
const CONFIG_ANNOTATION: &str = "vibetalk.dev/config";

/// Time beyond the drain window in which a node closes its last connections and hands back its leases.
const GRACE_BEYOND_DRAIN_SECONDS: i64 = 20;
/// How long a machine may be silent before its chat nodes start elsewhere.
const LOST_MACHINE_SECONDS: i64 = 30;
/// The user that the image is built for.
const USER: i64 = 65_532;
/// Read by owner and group only.
const FILE_MODE: i32 = 0o440;

pub(super) fn build(blueprint: &Blueprint<'_>, credentials: &str) -> PodTemplateSpec {
    let settings = &blueprint.spec.pod;
    let own = [
        (CONFIG_ANNOTATION.to_owned(), config_map::version(blueprint)),
        (CREDENTIALS_ANNOTATION.to_owned(), credentials.to_owned()),
    ];
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(merged(&settings.labels, labels(&blueprint.cluster.name))),
            annotations: Some(merged(&settings.annotations, own)),
            ..ObjectMeta::default()
        }),
        spec: Some(spec(blueprint)),
    }
}

/// The user's entries and the operator's own, which win.
fn merged(
    of_user: &BTreeMap<String, String>,
    own: impl IntoIterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    of_user.clone().into_iter().chain(own).collect()
}

fn spec(blueprint: &Blueprint<'_>) -> PodSpec {
    let spec = blueprint.spec;
    PodSpec {
        service_account_name: Some(blueprint.cluster.name.clone()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: some_if_any(spec.image_pull_secrets.clone()),
        node_selector: Some(spec.pod.node_selector.clone()).filter(|labels| !labels.is_empty()),
        priority_class_name: spec.pod.priority_class_name.clone(),
        tolerations: Some(tolerations(&spec.pod.tolerations)),
        termination_grace_period_seconds: Some(
            i64::from(spec.drain.window.as_seconds()) + GRACE_BEYOND_DRAIN_SECONDS,
        ),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        affinity: spread::affinity(blueprint),
        topology_spread_constraints: some_if_any(spread::constraints(blueprint)),
        containers: vec![container::build(blueprint)],
        volumes: Some(volumes(blueprint)),
        ..PodSpec::default()
    }
}

/// The user's tolerations, and short ones for machines that do not answer: a chat node keeps nothing that is worth
/// the usual wait of five minutes.
fn tolerations(of_user: &[Toleration]) -> Vec<Toleration> {
    let lost = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map(|key| Toleration {
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        effect: Some("NoExecute".to_owned()),
        toleration_seconds: Some(LOST_MACHINE_SECONDS),
        ..Toleration::default()
    });
    let unsaid =
        lost.into_iter().filter(|own| of_user.iter().all(|said| said.key.is_some() && said.key != own.key));
    of_user.iter().cloned().chain(unsaid).collect()
}

/// The directory of each service's credentials, and the Secret that fills it.
pub(super) fn bindings(spec: &VibeTalkClusterSpec) -> Vec<(&'static str, Cow<'_, str>)> {
    let broker = spec.rabbitmq.secret_name().map(|name| (rabbitmq::DIRECTORY, name));
    let store = (mongodb::DIRECTORY, Cow::from(&spec.mongodb.secret_ref.name));
    let keys = spec.auth.secret_ref.as_ref().map(|secret| (auth::DIRECTORY, Cow::from(&secret.name)));
    broker.into_iter().chain([store]).chain(keys).collect()
}

fn volumes(blueprint: &Blueprint<'_>) -> Vec<Volume> {
    let config = Volume {
        name: CONFIG_VOLUME.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: blueprint.cluster.name.clone(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    let secrets = bindings(blueprint.spec).into_iter().map(|(directory, secret)| Volume {
        name: directory.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.into_owned()),
            default_mode: Some(FILE_MODE),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    });
    std::iter::once(config).chain(secrets).collect()
}

fn some_if_any<T>(items: Vec<T>) -> Option<Vec<T>> {
    Some(items).filter(|items| !items.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::Cluster;
    use crate::fixture;
    use crate::resources::tests::blueprint;

    fn pod_of(cluster: &Cluster) -> PodSpec {
        build(&blueprint(cluster), "a").spec.unwrap()
    }

    #[test]
    fn a_pod_knows_its_drain_window_and_has_that_and_more_to_end() {
        let cluster = fixture::cluster(|spec| spec["drain"]["window"] = "2m".into());
        let pod = pod_of(&cluster);
        assert_eq!(pod.termination_grace_period_seconds, Some(140));
        let env = pod.containers[0].env.clone().unwrap();
        let window = env.into_iter().find(|one| one.name == "VT_DRAIN_WINDOW").unwrap().value;
        assert_eq!(window.as_deref(), Some("2m"));
    }

    #[test]
    fn a_users_word_on_lost_machines_wins() {
        let key = "node.kubernetes.io/unreachable";
        let of_user =
            Toleration { key: Some(key.to_owned()), toleration_seconds: Some(5), ..Toleration::default() };
        let all = tolerations(std::slice::from_ref(&of_user));
        let about: Vec<_> = all.iter().filter(|toleration| toleration.key.as_deref() == Some(key)).collect();
        assert_eq!(about, [&of_user]);
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn changed_settings_or_secrets_roll_the_pods_and_other_changes_do_not() {
        let template = |cluster: &Cluster, credentials: &str| {
            build(&blueprint(cluster), credentials).metadata.unwrap().annotations
        };
        let plain = fixture::cluster(|_| {});
        let base = template(&plain, "a");
        assert_ne!(template(&plain, "b"), base);
        assert_ne!(template(&fixture::cluster(|s| s["officialGroup"]["name"] = "Lobby".into()), "a"), base);
        assert_ne!(
            template(&fixture::cluster(|s| s["officialGroup"]["posting"] = "Admins".into()), "a"),
            base
        );
        assert_eq!(template(&fixture::cluster(|s| s["replicas"] = 9.into()), "a"), base);
    }

    #[test]
    fn keys_that_the_issuer_publishes_need_no_secret() {
        let issuer = json!({ "jwks": "https://sso.example/keys", "audience": "chat" });
        let cluster = fixture::cluster(|spec| spec["auth"] = issuer);
        let pod = pod_of(&cluster);
        let volumes: Vec<_> = pod.volumes.unwrap().into_iter().map(|volume| volume.name).collect();
        assert_eq!(volumes, ["config", "rabbitmq", "mongodb"]);
        let mounts = pod.containers[0].volume_mounts.clone().unwrap();
        assert_eq!(mounts.into_iter().map(|mount| mount.name).collect::<Vec<_>>(), volumes);
    }

    #[test]
    fn a_pod_passes_restricted_pod_security() {
        let pod = pod_of(&fixture::cluster(|_| {}));
        let context = pod.security_context.clone().unwrap();
        assert_eq!(context.run_as_non_root, Some(true));
        assert_eq!(context.seccomp_profile.unwrap().type_, "RuntimeDefault");
        for container in pod.containers {
            let context = container.security_context.unwrap();
            assert_eq!(context.allow_privilege_escalation, Some(false));
            assert_eq!(context.capabilities.unwrap().drop.unwrap(), ["ALL"]);
        }
        assert_eq!(pod.automount_service_account_token, Some(false));
    }

    #[test]
    fn what_the_user_adds_comes_beside_what_the_operator_sets() {
        let cluster = fixture::cluster(|spec| {
            spec["pod"] = json!({
                "labels": { "team": "chat" }, "annotations": { "note": "x" },
                "env": [{ "name": "VT_LOG", "value": "debug" }], "priorityClassName": "high",
            });
        });
        let template = build(&blueprint(&cluster), "a");
        let metadata = template.metadata.unwrap();
        let (labels, annotations) = (metadata.labels.unwrap(), metadata.annotations.unwrap());
        assert_eq!(
            (labels["team"].as_str(), labels["app.kubernetes.io/name"].as_str()),
            ("chat", "chat-node")
        );
        assert_eq!((annotations["note"].as_str(), annotations[CREDENTIALS_ANNOTATION].as_str()), ("x", "a"));
        let pod = template.spec.unwrap();
        assert_eq!(pod.priority_class_name.as_deref(), Some("high"));
        let env = pod.containers[0].env.clone().unwrap();
        assert!(env.iter().any(|one| one.name == "VT_LOG") && env.iter().any(|one| one.name == "VT_CONFIG"));
    }
}
