//! The broker as its management API shows it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

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

    /// Makes a user who may do what the product asks for and no more, or gives the user another password. The login.
    pub async fn ensure_user(&self, name: &str, password: &str) -> Result<Broker> {
        let user = json!({ "password": password, "tags": "monitoring" });
        self.put(&format!("users/{name}"), &user).await?;
        let own = r"^(vt|srv)\..*";
        let permissions = json!({ "configure": own, "write": own, "read": own });
        self.put(&format!("permissions/{}/{name}", self.vhost()), &permissions).await?;
        let login = (name.to_owned(), password.to_owned());
        Ok(Broker { username: login.0, password: login.1, ..self.broker.clone() })
    }

    /// Removes a user.
    pub async fn delete_user(&self, name: &str) -> Result<()> {
        let response = self.call(reqwest::Method::DELETE, &format!("users/{name}")).send().await?;
        response.error_for_status().with_context(|| format!("cannot delete the broker's user {name}"))?;
        Ok(())
    }

    async fn put(&self, path: &str, body: &serde_json::Value) -> Result<()> {
        let response = self.call(reqwest::Method::PUT, path).json(body).send().await?;
        response.error_for_status().with_context(|| format!("the broker refuses {path}"))?;
        Ok(())
    }

    fn request(&self, method: reqwest::Method, rest: &str) -> reqwest::RequestBuilder {
        self.call(method, &format!("exchanges/{}{rest}", self.vhost()))
    }

    fn vhost(&self) -> String {
        utf8_percent_encode(&self.broker.vhost, NON_ALPHANUMERIC).to_string()
    }

    fn call(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/api/{path}", self.broker.management);
        self.http.request(method, url).basic_auth(&self.broker.username, Some(&self.broker.password))
    }
}
