//! The chat nodes' settings, as the file that every pod mounts.

use std::collections::BTreeMap;

use crds::NodeConfig;
use crds::node::{AuthConfig, OfficialGroupConfig, StoreConfig};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Blueprint, digest, metadata};

/// Key of the settings, and so the name of the file.
pub(super) const KEY: &str = "config.yaml";

/// The order of epochs once more: what the operator reads again. The file is for the chat nodes.
pub(crate) const ORDER_ANNOTATION: &str = "vibetalk.dev/topology";

/// The highest epoch that was ever ordered. It stands beside the order, so that both are written at once.
pub(crate) const HIGHEST_EPOCH_ANNOTATION: &str = "vibetalk.dev/highest-epoch";

/// Where ingress controllers are, whoever runs them (RFC 1918, RFC 6598, RFC 4193): chat nodes believe what these say
/// of a client's address.
const PRIVATE_NETWORKS: [&str; 5] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];

pub(super) fn build(blueprint: &Blueprint<'_>) -> ConfigMap {
    // Numbers and names only, so this cannot fail.
    let order = serde_json::to_string(blueprint.order).unwrap_or_default();
    let annotations = BTreeMap::from([
        (ORDER_ANNOTATION.to_owned(), order),
        (HIGHEST_EPOCH_ANNOTATION.to_owned(), blueprint.highest_epoch.to_string()),
    ]);
    ConfigMap {
        metadata: ObjectMeta { annotations: Some(annotations), ..metadata(blueprint.cluster) },
        data: Some(BTreeMap::from([(KEY.to_owned(), text(blueprint))])),
        ..ConfigMap::default()
    }
}

/// The file's text.
pub(super) fn text(blueprint: &Blueprint<'_>) -> String {
    // Strings and numbers only, so this cannot fail.
    serde_yaml::to_string(&node_config(blueprint)).unwrap_or_default()
}

/// Changes when the pods have to start anew for it. They follow another order of epochs while they run.
pub(super) fn version(blueprint: &Blueprint<'_>) -> String {
    let mut config = node_config(blueprint);
    config.topology.listen.clear();
    config.topology.publish = 0;
    digest(serde_yaml::to_string(&config).unwrap_or_default().as_bytes())
}

fn node_config(blueprint: &Blueprint<'_>) -> NodeConfig {
    let spec = blueprint.spec;
    NodeConfig {
        cluster: blueprint.cluster.key(),
        topology: blueprint.order.clone(),
        server_queue: spec.rabbitmq.server_queue,
        store: StoreConfig {
            database: spec.mongodb.database.clone(),
            bucket: spec.mongodb.bucket,
            retention: spec.mongodb.retention,
        },
        auth: AuthConfig {
            jwks: spec.auth.jwks.clone(),
            issuer: spec.auth.issuer.clone(),
            audience: spec.auth.audience.clone(),
        },
        official_group: OfficialGroupConfig {
            name: spec.official_group.name.clone(),
            topic: spec.official_group.topic.clone(),
            admins: spec.official_group.admins.iter().cloned().collect(),
            posting: spec.official_group.posting,
        },
        drain_window: spec.drain.window,
        limits: spec.limits,
        trusted_proxies: PRIVATE_NETWORKS.map(str::to_owned).into(),
    }
}

#[cfg(test)]
mod tests {
    use crds::{Posting, QueueType, ServerQueue, TopologyOrder, TopologyPlan};

    use serde_json::json;

    use super::*;
    use crate::fixture;
    use crate::resources::tests::blueprint;

    #[test]
    fn a_chat_node_can_read_the_file() {
        let cluster = fixture::cluster(|spec| {
            spec["rabbitmq"]["serverQueue"] = json!({ "type": "Quorum" });
            spec["mongodb"]["retention"] = "90d".into();
            spec["officialGroup"] = json!({ "admins": ["bob", "alice"], "posting": "Admins" });
            spec["limits"] = json!({ "connectionsPerAddress": 20_000 });
            spec["auth"] = json!({
                "jwks": "https://sso.example/keys",
                "issuer": "https://sso.example",
                "audience": "chat",
            });
        });
        let text = text(&blueprint(&cluster));
        let config: NodeConfig = serde_yaml::from_str(&text).unwrap();
        assert_eq!(config.topology, *blueprint(&cluster).order);
        let quorum = ServerQueue { kind: QueueType::Quorum, ..ServerQueue::default() };
        assert_eq!(config.server_queue, quorum);
        assert_eq!(config.cluster.control(), "vt.chat.demo.control");
        assert_eq!(config.store.retention, Some(crds::Duration::days(90)));
        assert_eq!(config.limits.connections_per_address, Some(20_000));
        assert_eq!(config.official_group.admins, ["alice", "bob"]);
        assert_eq!(config.official_group.posting, Posting::Admins);
        assert_eq!(config.auth.issuer.as_deref(), Some("https://sso.example"));
        assert_eq!(config.auth.jwks.as_deref(), Some("https://sso.example/keys"));
        assert_eq!(config.auth.audience.as_deref(), Some("chat"));
    }
    #[test]
    fn another_order_of_epochs_is_read_again_and_starts_no_pod_anew() {
        let cluster = fixture::cluster(|_| {});
        let plan = TopologyPlan { epoch: 9, partitions: 1, routing: crds::RoutingMode::User };
        let order = TopologyOrder::of(plan);
        let other = Blueprint { order: &order, highest_epoch: 12, ..blueprint(&cluster) };
        assert_ne!(text(&other), text(&blueprint(&cluster)));
        assert_eq!(version(&other), version(&blueprint(&cluster)));
        let live = serde_json::to_value(build(&other)).unwrap();
        assert_eq!(crate::resources::order_of(&live), Some(order));
        assert_eq!(crate::resources::highest_epoch_of(&live), Some(12));
    }
}
