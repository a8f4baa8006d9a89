//! Who may reach the chat nodes, and whom they may reach.

use std::collections::{BTreeMap, BTreeSet};

use crds::node::{ADMIN_PORT, CHAT_PORT};
use crds::{NetworkPolicy as Settings, VibeTalkClusterSpec};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Blueprint, match_labels, metadata};

const DNS_PORT: u16 = 53;
/// The label that the API server gives every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// `ports` are those of broker and store.
pub(super) fn build(blueprint: &Blueprint<'_>, ports: &BTreeSet<u16>) -> NetworkPolicy {
    let settings = &blueprint.spec.network_policy;
    NetworkPolicy {
        metadata: metadata(blueprint.cluster),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(match_labels(blueprint)),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(vec![
                NetworkPolicyIngressRule {
                    from: anyone_if_empty(settings.clients.clone()),
                    ports: Some(vec![port("TCP", CHAT_PORT)]),
                },
                NetworkPolicyIngressRule {
                    from: Some(administrators(blueprint, settings)),
                    ports: Some(vec![port("TCP", ADMIN_PORT)]),
                },
            ]),
            egress: Some(vec![
                NetworkPolicyEgressRule {
                    ports: Some(vec![port("UDP", DNS_PORT), port("TCP", DNS_PORT)]),
                    to: None,
                },
                NetworkPolicyEgressRule {
                    ports: Some(services(blueprint.spec, ports)),
                    to: anyone_if_empty(settings.services.clone()),
                },
            ]),
        }),
    }
}

/// Where a chat node may also be told to end: its operator and those who scrape it, nobody else.
fn administrators(blueprint: &Blueprint<'_>, settings: &Settings) -> Vec<NetworkPolicyPeer> {
    let of_operator = blueprint.cluster.operator_namespace.iter();
    let namespace = labels(of_operator.map(|name| (NAMESPACE_NAME, name.as_str())));
    let pods =
        labels([("app.kubernetes.io/component", "operator"), ("app.kubernetes.io/part-of", "vibetalk")]);
    let mut peers = vec![pods_of(namespace, pods)];
    if settings.scrapers.is_empty() {
        peers.push(pods_of(LabelSelector::default(), labels([("app.kubernetes.io/name", "prometheus")])));
    }
    peers.extend(settings.scrapers.clone());
    peers
}

fn pods_of(namespaces: LabelSelector, pods: LabelSelector) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(namespaces),
        pod_selector: Some(pods),
        ..NetworkPolicyPeer::default()
    }
}

fn labels<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> LabelSelector {
    let pairs = pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    let labels: BTreeMap<_, _> = pairs.collect();
    LabelSelector {
        match_labels: Some(labels).filter(|labels| !labels.is_empty()),
        ..LabelSelector::default()
    }
}

fn services(spec: &VibeTalkClusterSpec, of_secrets: &BTreeSet<u16>) -> Vec<NetworkPolicyPort> {
    let issuer = spec.auth.jwks.as_deref().and_then(issuer_port);
    let ports: BTreeSet<_> =
        of_secrets.iter().copied().chain(issuer).chain(spec.network_policy.ports.iter().copied()).collect();
    ports.into_iter().map(|number| port("TCP", number)).collect()
}

fn issuer_port(url: &str) -> Option<u16> {
    reqwest::Url::parse(url).ok()?.port_or_known_default()
}

fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number.into())),
        protocol: Some(protocol.to_owned()),
        ..NetworkPolicyPort::default()
    }
}

/// No peer at all would admit nobody.
fn anyone_if_empty(peers: Vec<NetworkPolicyPeer>) -> Option<Vec<NetworkPolicyPeer>> {
    Some(peers).filter(|peers| !peers.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixture;
    use crate::resources::tests::blueprint;

    fn policy(change: impl FnOnce(&mut Value)) -> Value {
        let cluster = fixture::cluster(change);
        let policy = build(&blueprint(&cluster), &BTreeSet::from([5_672, 27_017]));
        serde_json::to_value(policy.spec).unwrap()
    }

    fn ports(rule: &Value) -> Vec<u64> {
        rule["ports"].as_array().unwrap().iter().map(|port| port["port"].as_u64().unwrap()).collect()
    }

    #[test]
    fn users_come_from_anywhere_and_administrators_do_not() {
        let policy = policy(|_| {});
        let [users, administrators] = &policy["ingress"].as_array().unwrap()[..] else { panic!("{policy}") };
        assert_eq!((ports(users), users.get("from")), (vec![8_080], None));
        assert_eq!(ports(administrators), [9_090]);
        let from = administrators["from"].as_array().unwrap();
        assert_eq!(
            from[0]["namespaceSelector"]["matchLabels"],
            json!({ "kubernetes.io/metadata.name": "vibetalk-system" })
        );
        assert_eq!(from[1]["podSelector"]["matchLabels"], json!({ "app.kubernetes.io/name": "prometheus" }));
    }

    #[test]
    fn only_dns_and_the_services_that_are_named_can_be_reached() {
        let policy = policy(|spec| {
            spec["auth"] = json!({ "jwks": "https://sso.example:8443/keys", "audience": "chat" });
            spec["networkPolicy"] = json!({ "ports": [27018] });
        });
        let [dns, services] = &policy["egress"].as_array().unwrap()[..] else { panic!("{policy}") };
        assert_eq!(ports(dns), [53, 53]);
        assert_eq!(ports(services), [5_672, 8_443, 27_017, 27_018]);
    }

    #[test]
    fn peers_that_are_named_take_the_place_of_everybody() {
        let peer = json!({ "namespaceSelector": { "matchLabels": { "a": "b" } } });
        let policy = policy(|spec| {
            spec["networkPolicy"] = json!({ "clients": [peer], "scrapers": [peer], "services": [peer] });
        });
        assert_eq!(policy["ingress"][0]["from"], json!([peer]));
        assert_eq!(
            policy["ingress"][1]["from"].as_array().unwrap().len(),
            2,
            "the operator and the one named"
        );
        assert_eq!(policy["egress"][1]["to"], json!([peer]));
    }
}
