//! How a chat node ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// How a chat node that must end moves its users to the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    /// Users are asked to reconnect spread over this time, in minutes and seconds as in `20s` or `1m30s`. A pod may take
    /// 20 s longer to end.
    #[serde(default = "default_window")]
    #[schemars(regex(pattern = "^([0-9]{1,2}m)?([0-9]{1,4}s)?$"))]
    pub window: Duration,

    /// How many chat nodes end at once, be it that the number shrinks or that they are replaced; the next ones follow a
    /// window later.
    #[serde(default = "default_max_concurrent")]
    #[schemars(range(min = 1, max = 100))]
    pub max_concurrent: i32,
}

impl Default for Drain {
    fn default() -> Self {
        Self { window: default_window(), max_concurrent: default_max_concurrent() }
    }
}

fn default_window() -> Duration {
    Duration::seconds(20)
}
fn default_max_concurrent() -> i32 {
    1
}
