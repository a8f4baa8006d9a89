//! Specs that use as much of the schema as one spec can, so that most properties have something to be changed.

use serde_json::{Value, json};

/// By their names.
pub fn all() -> [(&'static str, Value); 2] {
    [("ingress", ingress()), ("gateway", gateway())]
}

fn ingress() -> Value {
    let selector = json!({
        "matchLabels": { "team": "a" }, "matchExpressions": [{ "key": "a", "operator": "In", "values": ["b"] }],
    });
    let behavior = json!({
        "policies": [{ "type": "Pods", "value": 1, "periodSeconds": 60 }],
        "selectPolicy": "Max", "stabilizationWindowSeconds": 60,
    });
    json!({
        "replicas": 2,
        "image": "chat-node:test", "imagePullPolicy": "IfNotPresent", "imagePullSecrets": [{ "name": "pull" }],
        "rabbitmq": {
            "secretRef": { "name": "mq" }, "partitions": 2, "routing": "User", "deletionPolicy": "Delete",
            "serverQueue": { "type": "Classic", "maxBytes": 2_000_000, "expires": "3m" },
        },
        "mongodb": { "secretRef": { "name": "db" }, "database": "chat", "bucket": "10d", "retention": "90d" },
        "auth": { "secretRef": { "name": "auth" }, "issuer": "sso", "audience": "chat" },
        "officialGroup": { "name": "Lobby", "topic": "All of us", "admins": ["ann"], "posting": "Admins" },
        "autoscaling": {
            "minReplicas": 1, "maxReplicas": 4, "targetConnections": 100, "targetCPUUtilization": 60,
            "metrics": [{
                "type": "Resource",
                "resource": { "name": "memory", "target": { "type": "Utilization", "averageUtilization": 80 } },
            }],
            "behavior": { "scaleDown": behavior, "scaleUp": behavior },
        },
        "exposure": { "ingress": {
            "className": "nginx", "controller": "IngressNginx", "host": "chat.example", "path": "/",
            "tls": { "secretName": "tls" }, "annotations": { "team": "a" },
        } },
        "limits": {
            "connectionsPerNode": 9, "connectionsPerUser": 9, "connectionsPerAddress": 9,
            "commandsPerMinute": 9, "userRequestsPerMinute": 9, "addressRequestsPerMinute": 9,
        },
        // From 500 chat nodes it is a few steps back.
        "drain": { "window": "30s", "maxConcurrent": 100 },
        "monitoring": {
            "podMonitor": { "interval": "20s", "labels": { "team": "a" } }, "rules": { "labels": { "team": "a" } },
        },
        "networkPolicy": {
            "enabled": true, "ports": [8_443],
            "clients": [{ "podSelector": selector, "namespaceSelector": selector }],
            "scrapers": [{ "podSelector": selector, "namespaceSelector": selector }],
            "services": [{ "ipBlock": { "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"] } }],
        },
        "pod": {
            "resources": { "requests": { "cpu": "100m" }, "limits": { "cpu": "1" } },
            "nodeSelector": { "team": "a" }, "labels": { "team": "a" }, "annotations": { "team": "a" },
            "tolerations": [{ "key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 60 }],
            "topologySpread": [{ "topologyKey": "zone", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule" }],
            "priorityClassName": "high", "env": [{ "name": "VT_LOG", "value": "debug" }],
        },
        "paused": false,
    })
}

fn gateway() -> Value {
    json!({
        "replicas": 2,
        "rabbitmq": { "clusterRef": { "name": "rabbit" }, "partitions": 2 },
        "mongodb": { "secretRef": { "name": "db" } },
        "auth": { "jwks": "https://sso.example/keys", "audience": "chat" },
        "autoscaling": {
            "maxReplicas": 4, "targetConnections": 100, "keda": { "prometheus": "http://prometheus:9090" },
        },
        "exposure": { "gateway": {
            "parentRefs": [{ "name": "public", "namespace": "gateways", "sectionName": "web" }],
            "hostnames": ["chat.example"], "tls": true,
        } },
        "drain": { "maxConcurrent": 100 },
    })
}
