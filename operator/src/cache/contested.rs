//! Names that turned out to be taken where the cache shows no object: by somebody else's object, which no watch tells
//! of, or by one of the operator's own that the watch has not told of yet. The next visit asks the API server.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::resources::Kind;

/// The kinds whose object of a cluster's name is contested, by namespace and name.
#[derive(Debug, Default)]
pub struct Contested {
    kinds: Mutex<HashMap<(String, String), BTreeSet<Kind>>>,
}

impl Contested {
    /// Something has the name.
    pub fn note(&self, kind: Kind, namespace: &str, name: &str) {
        self.lock().entry(key(namespace, name)).or_default().insert(kind);
    }

    /// Whether something had the name.
    pub fn has(&self, kind: Kind, namespace: &str, name: &str) -> bool {
        self.lock().get(&key(namespace, name)).is_some_and(|kinds| kinds.contains(&kind))
    }

    /// The object is the cluster's own.
    pub fn settle(&self, kind: Kind, namespace: &str, name: &str) {
        let (mut all, key) = (self.lock(), key(namespace, name));
        if let Some(kinds) = all.get_mut(&key) {
            kinds.remove(&kind);
            if kinds.is_empty() {
                all.remove(&key);
            }
        }
    }

    /// The cluster is gone, or as good as gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.lock().remove(&key(namespace, name));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), BTreeSet<Kind>>> {
        // Every change is complete before the lock is let go.
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(namespace: &str, name: &str) -> (String, String) {
    (namespace.to_owned(), name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_contested_until_it_is_the_clusters_own_or_the_cluster_is_gone() {
        let contested = Contested::default();
        let has = |kind: Kind| contested.has(kind, "chat", "demo");
        contested.note(Kind::Service, "chat", "demo");
        contested.note(Kind::ConfigMap, "chat", "demo");
        assert!(has(Kind::Service) && has(Kind::ConfigMap) && !has(Kind::Deployment));
        assert!(!contested.has(Kind::Service, "chat", "other"));
        contested.settle(Kind::Service, "chat", "demo");
        assert!(!has(Kind::Service) && has(Kind::ConfigMap));
        contested.forget("chat", "demo");
        assert!(!has(Kind::ConfigMap) && contested.lock().is_empty());
    }
}
