//! What a person would look at first when something in a namespace does not work.

use std::fmt::Write;

use crds::VibeTalkCluster;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::{Api, ListParams, LogParams};

/// Events shown.
const EVENTS: usize = 12;
/// Lines shown of a log.
const LOG_LINES: i64 = 15;
/// Characters shown of a line.
const LINE: usize = 300;

/// The chat clusters, pods, warnings and logs of the pods that are not ready, as far as they can be read.
pub async fn of_namespace(client: &kube::Client, namespace: &str) -> String {
    let mut text = format!("state of the namespace {namespace}:\n");
    clusters(client, namespace, &mut text).await;
    pods(client, namespace, &mut text).await;
    events(client, namespace, &mut text).await;
    text
}

/// The last lines of a namespace's logs, of every pod.
pub async fn logs(client: &kube::Client, namespace: &str) -> String {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut text = String::new();
    for pod in api.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default() {
        log(&api, &pod.name_any(), &mut text).await;
    }
    text
}

async fn clusters(client: &kube::Client, namespace: &str, text: &mut String) {
    let api: Api<VibeTalkCluster> = Api::namespaced(client.clone(), namespace);
    let Ok(list) = api.list(&ListParams::default()).await else { return };
    for cluster in list {
        let replicas = cluster.spec.replicas;
        let _ = writeln!(text, "  VibeTalkCluster {} replicas {replicas:?}", cluster.name_any());
        for condition in cluster.status.map(|status| status.conditions).unwrap_or_default() {
            let (kind, status) = (condition.type_, condition.status);
            let _ = writeln!(text, "    {kind} {status}: {}: {}", condition.reason, condition.message);
        }
    }
}

async fn pods(client: &kube::Client, namespace: &str, text: &mut String) {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let Ok(list) = api.list(&ListParams::default()).await else { return };
    for pod in list {
        let name = pod.name_any();
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
        let leaving = if pod.metadata.deletion_timestamp.is_some() { ", leaving" } else { "" };
        let status = pod.status.unwrap_or_default();
        let containers = status.container_statuses.unwrap_or_default();
        let ready = !containers.is_empty() && containers.iter().all(|container| container.ready);
        let phase = status.phase.unwrap_or_default();
        let _ = writeln!(text, "  Pod {name} on {node}: {phase}, ready {ready}{leaving}");
        for waiting in containers.iter().filter_map(|container| container.state.as_ref()?.waiting.as_ref()) {
            let message = waiting.message.as_deref().unwrap_or_default();
            let _ = writeln!(text, "    waits: {} {message}", waiting.reason.as_deref().unwrap_or_default());
        }
        if !ready {
            log(&api, &name, text).await;
        }
    }
}

async fn log(api: &Api<Pod>, name: &str, text: &mut String) {
    let params = LogParams { tail_lines: Some(LOG_LINES), ..LogParams::default() };
    if let Ok(log) = api.logs(name, &params).await {
        let _ = writeln!(text, "    log of {name}:");
        for line in log.lines() {
            let beginning: String = line.chars().take(LINE).collect();
            let _ = writeln!(text, "      {beginning}");
        }
    }
}

async fn events(client: &kube::Client, namespace: &str, text: &mut String) {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let Ok(list) = api.list(&ListParams::default()).await else { return };
    let mut warnings: Vec<Event> =
        list.items.into_iter().filter(|event| event.type_.as_deref() == Some("Warning")).collect();
    warnings.sort_by(|a, b| a.metadata.creation_timestamp.cmp(&b.metadata.creation_timestamp));
    for event in warnings.iter().rev().take(EVENTS) {
        let about = event.regarding.as_ref().and_then(|about| about.name.as_deref()).unwrap_or_default();
        let (reason, note) = (event.reason.as_deref(), event.note.as_deref());
        let _ =
            writeln!(text, "  Warning {about}: {}: {}", reason.unwrap_or_default(), note.unwrap_or_default());
    }
}
