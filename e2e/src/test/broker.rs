//! The broker as its management API shows it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::product::Broker;

/// The management API.
#[derive(Clone, Debug)]
pub struct Management {
    http: reqwest::Client,
    broker: Broker,
}

/// An exchange.
#[derive(Clone, Debug, Deserialize)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// `direct`, `fanout` …
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
}

impl Management {
    /// Speaks to `broker`.
    pub fn new(broker: &Broker) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { http, broker: broker.clone() })
    }

    /// The exchanges whose names begin with `prefix`, in order of name.
    pub async fn exchanges(&self, prefix: &str) -> Result<Vec<Exchange>> {
        let response = self.request(reqwest::Method::GET, "").send().await?.error_for_status()?;
        let mut exchanges: Vec<Exchange> = response.json().await.context("the broker lists no exchanges")?;
        exchanges.retain(|exchange| exchange.name.starts_with(prefix));
        exchanges.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(exchanges)
    }

    /// Deletes an exchange that exists.
    pub async fn delete_exchange(&self, name: &str) -> Result<()> {
        let name = format!("/{}", utf8_percent_encode(name, NON_ALPHANUMERIC));
        let response = self.request(reqwest::Method::DELETE, &name).send().await?;
        if !response.status().is_success() {
            bail!("the broker did not delete the exchange: {}", response.status());
        }
        Ok(())
    }

    fn request(&self, method: reqwest::Method, rest: &str) -> reqwest::RequestBuilder {
        let vhost = utf8_percent_encode(&self.broker.vhost, NON_ALPHANUMERIC);
        let url = format!("{}/api/exchanges/{vhost}{rest}", self.broker.management);
        self.http.request(method, url).basic_auth(&self.broker.username, Some(&self.broker.password))
    }
}
