//! The resources themselves, as the API server answered to the operator's last write of each. The watch tells of that a
//! moment later, and a visit in between must not take the status for what it was before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::{Resource, ResourceExt};

use super::mirror;
use crate::cluster::{KeptCluster, RawCluster};

/// What the watch has not told of yet, by namespace and name.
#[derive(Debug, Default)]
pub struct Clusters {
    ahead: Mutex<HashMap<(String, String), KeptCluster>>,
}

impl Clusters {
    /// Notes the answer to a write.
    pub fn put(&self, answer: RawCluster) {
        self.lock().insert(key(&answer), answer.into());
    }

    /// What the watch told of a resource, or what is known better.
    pub fn newest(&self, told: Arc<RawCluster>) -> Arc<RawCluster> {
        let mut ahead = self.lock();
        let key = key(&told);
        match ahead.get(&key) {
            Some(known) if known.uid() == told.uid() && version(known) > version(&*told) => {
                Arc::new(known.raw())
            }
            Some(_) => {
                ahead.remove(&key);
                told
            }
            None => told,
        }
    }

    /// It is gone, or as good as gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), KeptCluster>> {
        // Every change is complete before the lock is let go.
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(resource: &RawCluster) -> (String, String) {
    (resource.namespace().unwrap_or_default(), resource.name_any())
}

fn version(resource: &impl Resource) -> u64 {
    mirror::version(resource.meta().resource_version.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn resource(version: u64, uid: &str) -> RawCluster {
        let mut raw = fixture::raw_cluster();
        raw.metadata.resource_version = Some(version.to_string());
        raw.metadata.uid = Some(uid.to_owned());
        raw
    }

    #[test]
    fn the_answer_to_a_write_holds_until_the_watch_has_told_of_it() {
        let clusters = Clusters::default();
        let newest = |told: u64, uid: &str| version(&*clusters.newest(Arc::new(resource(told, uid))));
        clusters.put(resource(9, "a"));
        assert_eq!((newest(7, "a"), newest(9, "a"), newest(7, "a")), (9, 9, 7), "told of once");
        clusters.put(resource(9, "a"));
        assert_eq!(newest(8, "b"), 8, "another resource of the name");
    }
}
