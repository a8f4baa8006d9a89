//! The order of epochs, as the operator gives it on the admin port.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use serde_json::{Value, json};

mod support;

use support::cluster::{Cluster, TestNode};
use support::http::{self, Answer};

async fn put(node: &TestNode, body: &str) -> Answer {
    http::request(node.admin_address, "PUT /v1/topology", (None, body)).await
}

fn order(listen: &[(u32, u16)], publish: u32) -> Value {
    let listen: Vec<_> = listen
        .iter()
        .map(|(epoch, partitions)| json!({ "epoch": epoch, "partitions": partitions, "routing": "Channel" }))
        .collect();
    json!({ "listen": listen, "publish": publish })
}

#[tokio::test]
async fn an_order_is_taken_and_the_report_says_where_the_node_is() {
    let node = TestNode::alone().await;
    let report = node.admin("/v1/node").await.json();
    assert_eq!((&report["epochs"], &report["publishing"]), (&json!([1]), &json!(1)));
    for (listen, publish) in [(vec![(1, 4), (2, 8)], 1), (vec![(1, 4), (2, 8)], 2), (vec![(2, 8)], 2)] {
        let order = order(&listen, publish).to_string();
        for _ in 0..2 {
            let answer = put(&node, &order).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        let report = node.admin("/v1/node").await.json();
        let epochs: Vec<_> = listen.iter().map(|(epoch, _)| *epoch).collect();
        assert_eq!((&report["epochs"], &report["publishing"]), (&json!(epochs), &json!(publish)));
    }
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_refused_with_the_reason_and_changes_nothing() {
    let node = TestNode::alone().await;
    for (body, status, words) in [
        (order(&[(1, 4)], 2).to_string(), 400, "`publish` is 2"),
        (order(&[], 1).to_string(), 400, "0 epochs"),
        (order(&[(1, 8)], 1).to_string(), 400, "needs a new epoch"),
        (order(&[(1, 4), (2, 300)], 1).to_string(), 400, "300 partitions"),
        (r#"{"listen":[],"publish":1,"more":1}"#.to_owned(), 400, "more"),
        ("{".to_owned(), 400, "cannot be read"),
        (" ".repeat(17 * 1024), 413, "length limit"),
    ] {
        let answer = put(&node, &body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains(words), "{words}: {}", answer.body);
    }
    let report = node.admin("/v1/node").await.json();
    assert_eq!((&report["epochs"], &report["publishing"]), (&json!([1]), &json!(1)));
}

#[tokio::test]
async fn a_node_whose_broker_is_away_publishes_nowhere_and_still_takes_orders() {
    let node = Cluster::default().deaf_node("deaf").await;
    assert_eq!(put(&node, &order(&[(1, 4), (2, 8)], 1).to_string()).await.status, 200);
    let report = node.admin("/v1/node").await.json();
    assert_eq!((&report["epochs"], report.get("publishing")), (&json!([]), None));
}
