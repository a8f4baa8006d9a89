//! The API server's audit log: who wrote what.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::paths::Paths;

/// Where the API server writes it.
pub fn log(paths: &Paths) -> PathBuf {
    paths.log("audit")
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// `create`, `update`, `patch`, `delete` …
    pub verb: String,
    /// Plural name of the kind, with the subresource if there is one: `vibetalkclusters/status`.
    pub resource: String,
    /// Namespace and name.
    pub object: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    verb: String,
    user: User,
    #[serde(default)]
    object_ref: Object,
    request_received_timestamp: jiff::Timestamp,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    resource: String,
    namespace: String,
    name: String,
    subresource: String,
}

/// The writes since `begin` of users whose names begin with `user`.
pub async fn writes(log: &Path, user: &str, begin: SystemTime) -> Result<Vec<Write>> {
    let file = tokio::fs::File::open(log).await.with_context(|| format!("no audit log {}", log.display()))?;
    let begin = jiff::Timestamp::try_from(begin)?;
    let mut lines = BufReader::new(file).lines();
    let mut writes = Vec::new();
    while let Some(line) = lines.next_line().await? {
        writes.extend(write(&line, user, begin));
    }
    Ok(writes)
}

fn write(line: &str, user: &str, begin: jiff::Timestamp) -> Option<Write> {
    // The last line may be half written.
    let entry: Entry = serde_json::from_str(line).ok()?;
    let reads = ["get", "list", "watch"].contains(&entry.verb.as_str());
    if reads || !entry.user.username.starts_with(user) || entry.request_received_timestamp < begin {
        return None;
    }
    let Object { resource, namespace, name, subresource } = entry.object_ref;
    let resource = if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") };
    Some(Write { verb: entry.verb, resource, object: format!("{namespace}/{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(verb: &str, user: &str, second: u8) -> String {
        serde_json::json!({
            "verb": verb,
            "user": { "username": user },
            "objectRef": { "resource": "vibetalkclusters", "namespace": "a", "name": "b", "subresource": "status" },
            "requestReceivedTimestamp": format!("2026-01-01T00:00:{second:02}.000000Z"),
        })
        .to_string()
    }

    #[test]
    fn only_later_writes_of_the_user_count() {
        let begin: jiff::Timestamp = "2026-01-01T00:00:30Z".parse().unwrap();
        let of = |verb, user, second| write(&line(verb, user, second), "system:serviceaccount:x:", begin);
        let patched = of("patch", "system:serviceaccount:x:operator", 31).unwrap();
        assert_eq!(patched.resource, "vibetalkclusters/status");
        assert_eq!(patched.object, "a/b");
        assert_eq!(of("patch", "system:serviceaccount:x:operator", 29), None);
        assert_eq!(of("patch", "system:serviceaccount:y:operator", 31), None);
        assert_eq!(of("watch", "system:serviceaccount:x:operator", 31), None);
        assert_eq!(write(r#"{"verb":"pat"#, "", begin), None);
    }
}
