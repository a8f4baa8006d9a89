//! Exchanges.

use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{BrokerError, Management};

/// What the list has to say of each.
const COLUMNS: &str = "name,type,durable,auto_delete,internal,arguments";

/// An exchange and all that tells it from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// `direct`, `fanout`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it outlives a restart of the broker.
    pub durable: bool,
    /// Whether it goes with its last binding.
    pub auto_delete: bool,
    /// Whether clients cannot publish to it.
    pub internal: bool,
    /// Further arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

impl Exchange {
    /// A durable exchange without arguments.
    pub fn durable(name: String, kind: &str) -> Self {
        Self {
            name,
            kind: kind.to_owned(),
            durable: true,
            auto_delete: false,
            internal: false,
            arguments: Map::new(),
        }
    }
}

impl Management {
    /// Every exchange of the virtual host whose name begins with `prefix`.
    ///
    /// # Errors
    /// If the broker cannot be reached or refuses.
    pub async fn exchanges(&self, prefix: &str) -> Result<Vec<Exchange>, BrokerError> {
        let mut found: Vec<Exchange> = self.list(&["exchanges", self.vhost()], prefix, COLUMNS).await?;
        found.retain(|exchange| exchange.name.starts_with(prefix));
        Ok(found)
    }

    /// Declares the exchange; one that is already so stays.
    ///
    /// # Errors
    /// Also [`BrokerError::Mismatch`] if it exists with other properties.
    pub async fn declare(&self, exchange: &Exchange) -> Result<(), BrokerError> {
        let request = self.request(Method::PUT, self.exchange(&exchange.name)).json(exchange);
        match self.call(request).await {
            Err(BrokerError::Refused { problem, .. }) if problem.contains("inequivalent arg") => {
                Err(BrokerError::Mismatch { exchange: exchange.name.clone(), problem })
            }
            other => other.map(|_| ()),
        }
    }

    /// Deletes the exchange of this name, whatever is bound to it; one that is gone already is no error.
    ///
    /// # Errors
    /// If the broker cannot be reached or refuses.
    pub async fn delete(&self, name: &str) -> Result<(), BrokerError> {
        self.delete_at(self.exchange(name)).await
    }

    /// Deletes the exchange of this name if nothing is bound to it; one that is gone already is no error.
    ///
    /// # Errors
    /// [`BrokerError::InUse`] if something is bound to it; if the broker cannot be reached or refuses.
    pub async fn delete_unused(&self, name: &str) -> Result<(), BrokerError> {
        let mut url = self.exchange(name);
        url.query_pairs_mut().append_pair("if-unused", "true");
        match self.delete_at(url).await {
            Err(BrokerError::Refused { problem, .. }) if problem.contains("in use") => {
                Err(BrokerError::InUse { exchange: name.to_owned() })
            }
            other => other,
        }
    }

    fn exchange(&self, name: &str) -> Url {
        self.url(&["exchanges", self.vhost(), name])
    }
}
