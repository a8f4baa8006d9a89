//! The broker's own nodes, and whether they can still agree on anything.

use serde::Deserialize;

use super::{BrokerError, Exchange, Management};

/// A node of the broker.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Node {
    /// Its name, as in `rabbit@host`.
    pub name: String,
    /// Whether it runs and the others see it.
    pub running: bool,
    /// Whether it has too little memory, so that the broker takes no publishes.
    #[serde(default)]
    pub mem_alarm: bool,
    /// Whether it has too little disk, so that the broker takes no publishes.
    #[serde(default)]
    pub disk_free_alarm: bool,
}

impl Management {
    /// Every node of the broker.
    ///
    /// # Errors
    /// If the broker cannot be reached or refuses.
    pub async fn nodes(&self) -> Result<Vec<Node>, BrokerError> {
        let mut url = self.url(&["nodes"]);
        url.query_pairs_mut().append_pair("columns", "name,running,mem_alarm,disk_free_alarm");
        self.get(url).await
    }

    /// Declares an exchange that nobody needs and deletes it again. The broker's own health checks stay good when the
    /// majority of its nodes is gone; a declare then waits for them, and this ends at its deadline.
    ///
    /// # Errors
    /// If the broker cannot be reached, refuses, or does not answer in time.
    pub async fn try_declare(&self, name: &str) -> Result<(), BrokerError> {
        self.declare(&Exchange::durable(name.to_owned(), "fanout")).await?;
        self.delete(name).await
    }
}
