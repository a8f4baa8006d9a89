//! The store.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::SecretRef;
use crate::Duration;

/// The store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "self.bucket == oldSelf.bucket || self.database != oldSelf.database",
    "bucket cannot be changed: the messages in the database are laid out by it; a new bucket needs a new database"
))]
pub struct MongoDb {
    /// Secret with the connection string under `uri`.
    pub secret_ref: SecretRef,

    /// Name of the database.
    #[serde(default = "default_database")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub database: String,

    /// Length of a time bucket, the unit of storage and retention, as in `10d` or `12h`. Counted from the Unix epoch.
    /// Cannot be changed while the database is the same.
    #[serde(default = "default_bucket")]
    pub bucket: Duration,

    /// How long messages are kept at least, as in `365d`; whole buckets go after that. For ever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Duration>,
}

fn default_database() -> String {
    "vibetalk".to_owned()
}
fn default_bucket() -> Duration {
    Duration::days(10)
}
