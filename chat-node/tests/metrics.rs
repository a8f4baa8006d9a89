//! What is documented can be scraped.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use support::client::Client;
use support::cluster::TestNode;

const DOCUMENT: &str = include_str!("../METRICS.md");

fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.unwrap_or_else(|| panic!("no {name} in\n{metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_documented_metric_is_there_and_traffic_moves_those_that_it_should() {
    let node = TestNode::alone().await;
    let (mut ada, mut bob) = (Client::ready(&node, "ada").await, Client::ready(&node, "bob").await);
    ada.send("1", "n-1", "hello").await;
    ada.next("ack").await;
    bob.message().await;
    node.get("/api/v1/nowhere", "ada").await;

    let metrics = node.admin("/metrics").await.body;
    let documented = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut count = 0;
    for name in documented {
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{name} is documented but not there");
        count += 1;
    }
    assert!(count > 20, "the document has lost its table");

    for (name, expected) in [
        (r#"vibetalk_connections{transport="websocket"}"#, 2.0),
        (r#"vibetalk_requests_refused_total{code="not_found"}"#, 1.0),
        ("vibetalk_messages_sent_total", 1.0),
        ("vibetalk_append_duration_seconds_count", 1.0),
        ("vibetalk_messages_delivered_total", 2.0),
        ("vibetalk_delivery_duration_seconds_count", 1.0),
        ("vibetalk_store_reachable", 1.0),
        ("vibetalk_broker_reachable", 1.0),
        ("vibetalk_degraded", 0.0),
    ] {
        assert!((value(&metrics, name) - expected).abs() < 0.01, "{name}: {}", value(&metrics, name));
    }
}
