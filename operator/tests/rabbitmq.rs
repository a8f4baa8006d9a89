//! The management API of a real RabbitMQ. Needs `VT_TEST_RABBITMQ_MANAGEMENT`, as in
//! `http://user:password@host:15672`; without it each test says that it is left out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail where it likes")]

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use operator::http;
use operator::rabbitmq::{Access, BrokerError, Exchange, Management};
use reqwest::Url;

struct Broker {
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
    let management = Management::new(http::client().unwrap(), access);
    Some(Broker { management, prefix: format!("vt.test-{}.{test}.", std::process::id()) })
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
    let Some(Broker { management, prefix }) = broker("life") else { return };
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
    let Some(Broker { management, prefix }) = broker("mismatch") else { return };
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
