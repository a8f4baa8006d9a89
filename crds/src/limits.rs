//! What one client, one user, one address and one chat node may use.

use serde::{Deserialize, Serialize};

/// Bounds of what clients may use; each has a default where it is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "resource", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientLimits {
    /// Client connections of one chat node; 20000 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "resource", schemars(range(min = 1, max = 1_000_000)))]
    pub connections_per_node: Option<u32>,

    /// Connections of one user to one chat node; 20 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "resource", schemars(range(min = 1, max = 1_000_000)))]
    pub connections_per_user: Option<u32>,

    /// Connections from one address to one chat node; 5000 if absent. Many users may share one address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "resource", schemars(range(min = 1, max = 1_000_000)))]
    pub connections_per_address: Option<u32>,

    /// Commands a minute on one connection; 120 if absent. As many may come at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "resource", schemars(range(min = 1, max = 1_000_000)))]
    pub commands_per_minute: Option<u32>,

    /// HTTP requests a minute of one user; 600 if absent. As many may come at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "resource", schemars(range(min = 1, max = 1_000_000)))]
    pub user_requests_per_minute: Option<u32>,

    /// HTTP requests a minute of one address, connecting included; 3000 if absent. As many may come at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "resource", schemars(range(min = 1, max = 1_000_000)))]
    pub address_requests_per_minute: Option<u32>,
}

impl ClientLimits {
    /// Bounds of each of them.
    pub const BOUNDS: std::ops::RangeInclusive<u32> = 1..=1_000_000;

    /// Each that is set, with its name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let all = [
            ("connectionsPerNode", self.connections_per_node),
            ("connectionsPerUser", self.connections_per_user),
            ("connectionsPerAddress", self.connections_per_address),
            ("commandsPerMinute", self.commands_per_minute),
            ("userRequestsPerMinute", self.user_requests_per_minute),
            ("addressRequestsPerMinute", self.address_requests_per_minute),
        ];
        all.into_iter().filter_map(|(name, limit)| Some((name, limit?)))
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_named_as_it_is_written() {
        let text = r#"{"connectionsPerNode":1,"connectionsPerUser":2,"connectionsPerAddress":3,
            "commandsPerMinute":4,"userRequestsPerMinute":5,"addressRequestsPerMinute":6}"#;
        let limits: ClientLimits = serde_json::from_str(text).unwrap();
        let written = serde_json::to_value(limits).unwrap();
        let named: serde_json::Map<_, _> =
            limits.named().map(|(name, limit)| (name.to_owned(), limit.into())).collect();
        assert_eq!(written, serde_json::Value::Object(named));
        assert!(ClientLimits::default().is_empty() && !limits.is_empty());
    }
}
