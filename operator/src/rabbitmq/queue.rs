//! Queues, as far as the chat nodes' leftovers need them.

use reqwest::Url;
use serde::Deserialize;

use super::{BrokerError, Management};

/// A queue and where it lives.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// The node of the broker that keeps it; none where the broker does not know.
    #[serde(default)]
    pub node: Option<String>,
}

#[derive(Deserialize)]
struct Binding {
    destination: String,
    destination_type: String,
}

impl Management {
    /// Every queue of the virtual host whose name begins with `prefix`.
    ///
    /// # Errors
    /// If the broker cannot be reached or refuses.
    pub async fn queues(&self, prefix: &str) -> Result<Vec<Queue>, BrokerError> {
        let mut found: Vec<Queue> = self.list(&["queues", self.vhost()], prefix, "name,node").await?;
        found.retain(|queue| queue.name.starts_with(prefix));
        Ok(found)
    }

    /// Names of the queues that are bound to an exchange.
    ///
    /// # Errors
    /// If the broker cannot be reached or refuses, also because there is no such exchange.
    pub async fn bound_to(&self, exchange: &str) -> Result<Vec<String>, BrokerError> {
        let url = self.url(&["exchanges", self.vhost(), exchange, "bindings", "source"]);
        let bindings: Vec<Binding> = self.get(url).await?;
        let queues = bindings.into_iter().filter(|binding| binding.destination_type == "queue");
        Ok(queues.map(|binding| binding.destination).collect())
    }

    /// Deletes the queue of this name; one that is gone already is no error.
    ///
    /// # Errors
    /// If the broker cannot be reached or refuses.
    pub async fn delete_queue(&self, name: &str) -> Result<(), BrokerError> {
        self.delete_at(self.queue(name)).await
    }

    fn queue(&self, name: &str) -> Url {
        self.url(&["queues", self.vhost(), name])
    }
}
