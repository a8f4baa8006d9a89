//! The management API of a real RabbitMQ. Needs `VT_TEST_RABBITMQ_MANAGEMENT`, as in
//! `http://user:password@host:15672`; without it each test says that it is left out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail where it likes")]

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use operator::http;
use operator::rabbitmq::{Access, BrokerError, Exchange, Management};
use reqwest::{Method, Url};
use serde_json::json;

struct Broker {
    http: reqwest::Client,
    url: Url,
    management: Management,
    /// What the names of this test begin with.
    prefix: String,
}

fn broker(test: &str) -> Option<Broker> {
    let Ok(address) = std::env::var("VT_TEST_RABBITMQ_MANAGEMENT") else {
        println!("left out: needs a RabbitMQ, set VT_TEST_RABBITMQ_MANAGEMENT");
        return None;
    };
    let url = Url::parse(&address).unwrap();
    let password = url.password().unwrap().to_owned();
    let access = access(&url, &password);
    let http = http::client().unwrap();
    let management = Management::new(http.clone(), access);
    Some(Broker { http, url, management, prefix: format!("vt.test-{}.{test}.", std::process::id()) })
}

impl Broker {
    /// Changes something that the operator only reads.
    async fn change(&self, method: Method, path: &str, body: serde_json::Value) {
        let request = self.http.request(method, self.url.join(&format!("api/{path}")).unwrap()).json(&body);
        request.send().await.unwrap().error_for_status().unwrap();
    }
}

fn access(url: &Url, password: &str) -> Access {
    let pairs = [
        ("host", url.host_str().unwrap()),
        ("username", url.username()),
        ("password", password),
        ("management-uri", url.as_str()),
    ];
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    Access::from_secret(&BTreeMap::from(pairs.map(|(key, value)| (key.to_owned(), bytes(value))))).unwrap()
}

#[tokio::test]
async fn what_is_declared_is_listed_until_it_is_deleted() {
    let Some(Broker { management, prefix, .. }) = broker("life") else { return };
    let wanted = [
        Exchange::durable(format!("{prefix}1.0"), "direct"),
        Exchange::durable(format!("{prefix}control"), "fanout"),
    ];
    for exchange in &wanted {
        management.declare(exchange).await.unwrap();
        management.declare(exchange).await.unwrap();
    }
    let mut found = management.exchanges(&prefix).await.unwrap();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(found, wanted);
    for exchange in &wanted {
        management.delete(&exchange.name).await.unwrap();
        management.delete(&exchange.name).await.unwrap();
    }
    assert_eq!(management.exchanges(&prefix).await.unwrap(), []);
}

#[tokio::test]
async fn another_type_is_a_mismatch() {
    let Some(Broker { management, prefix, .. }) = broker("mismatch") else { return };
    let name = format!("{prefix}control");
    management.declare(&Exchange::durable(name.clone(), "topic")).await.unwrap();
    let refused = management.declare(&Exchange::durable(name.clone(), "fanout")).await.unwrap_err();
    management.delete(&name).await.unwrap();
    assert!(matches!(refused, BrokerError::Mismatch { ref exchange, .. } if *exchange == name), "{refused}");
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let Some(_) = broker("credentials") else { return };
    let url = Url::parse(&std::env::var("VT_TEST_RABBITMQ_MANAGEMENT").unwrap()).unwrap();
    let management = Management::new(http::client().unwrap(), access(&url, "not the password"));
    let refused = management.exchanges("vt.").await.unwrap_err();
    assert!(matches!(refused, BrokerError::Refused { .. }), "{refused}");
    assert!(!refused.to_string().contains("not the password"), "{refused}");
}

#[tokio::test]
async fn what_a_queue_is_bound_to_is_not_deleted_as_unused() {
    let Some(broker) = broker("unused") else { return };
    let Broker { management, prefix, .. } = &broker;
    let (name, queue) = (format!("{prefix}1.0"), format!("srv.{}.test.1", std::process::id()));
    management.declare(&Exchange::durable(name.clone(), "direct")).await.unwrap();
    let durable = json!({ "durable": true });
    broker.change(Method::PUT, &format!("queues/%2F/{queue}"), durable).await;
    let key = json!({ "routing_key": "ada" });
    broker.change(Method::POST, &format!("bindings/%2F/e/{name}/q/{queue}"), key).await;

    let refused = management.delete_unused(&name).await.unwrap_err();
    assert_eq!(refused, BrokerError::InUse { exchange: name.clone() });
    assert_eq!(management.bound_to(&name).await.unwrap(), std::slice::from_ref(&queue));
    let nodes = management.nodes().await.unwrap();
    let listed = management.queues("srv.").await.unwrap();
    let home = listed.into_iter().find(|listed| listed.name == queue).unwrap().node.unwrap();
    assert!(nodes.iter().any(|node| node.name == home && node.running));

    management.delete_queue(&queue).await.unwrap();
    management.delete_queue(&queue).await.unwrap();
    management.delete_unused(&name).await.unwrap();
    management.delete_unused(&name).await.unwrap();
    assert_eq!(management.exchanges(prefix).await.unwrap(), []);
}

#[tokio::test]
async fn a_broker_that_is_well_takes_a_trial() {
    let Some(Broker { management, prefix, .. }) = broker("trial") else { return };
    management.try_declare(&prefix).await.unwrap();
    assert_eq!(management.exchanges(&prefix).await.unwrap(), []);
}
