//! What the API server last said of all that a visit reads. Watches keep it up to date, and what the operator writes is
//! put in at once: a visit asks the API server nothing, and never sees the world as it was before its own last write.
//!
//! Kept are: the objects of the clusters (by the label that only the operator's objects bear, as text, which takes a
//! tenth of the room of a parsed object), a few facts about each pod, and the Secrets that clusters name. Secrets are
//! not watched: that would take the right to list all of them.

mod child;
mod clusters;
mod contested;
mod metadata;
mod mirror;
mod pods;
mod secrets;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::observe::{Children, Seen};
use crate::resources::Kind;

pub use child::Child;
pub use clusters::Clusters;
pub use contested::Contested;
pub(crate) use metadata::Metadata;
pub use mirror::{Place, Scope};
pub use pods::PodFacts;
pub use secrets::{SecretData, Secrets};
pub use watch::Follower;

use mirror::{Mirror, Told};

/// All of it.
#[derive(Debug)]
pub struct Cache {
    children: BTreeMap<Kind, Mirror<Box<str>>>,
    pods: Mirror<PodFacts>,
    /// What was written of the resources themselves.
    pub clusters: Clusters,
    /// Names of objects that others may have.
    pub contested: Contested,
    /// The Secrets that clusters name.
    pub secrets: Secrets,
}

impl Cache {
    /// An empty cache, in which a Secret is believed for `secret_age`.
    pub fn new(secret_age: Duration) -> Self {
        Self {
            children: Kind::ALL.map(|kind| (kind, Mirror::default())).into(),
            pods: Mirror::default(),
            clusters: Clusters::default(),
            contested: Contested::default(),
            secrets: Secrets::new(secret_age),
        }
    }

    /// The cluster's object of every kind of `served`; of the others there are none.
    pub fn children(&self, (namespace, cluster): (&str, &str), served: impl Fn(Kind) -> bool) -> Children {
        let child = |(kind, mirror): (&Kind, &Mirror<Box<str>>)| {
            let seen = if served(*kind) { parsed(mirror.get(namespace, cluster)) } else { Seen::Known(None) };
            (*kind, seen)
        };
        Children(self.children.iter().map(child).collect())
    }

    /// The versions of the cluster's objects of every kind; others after any change.
    pub fn versions(&self, namespace: &str, cluster: &str) -> Vec<Vec<u64>> {
        self.children.values().map(|mirror| mirror.versions(namespace, cluster)).collect()
    }

    /// The cluster's pods, in the order of their names.
    pub fn pods(&self, namespace: &str, cluster: &str) -> Seen<Vec<PodFacts>> {
        self.pods.get(namespace, cluster)
    }

    /// Puts in what the API server answered to a write, or to a deletion that is not over yet.
    pub fn put_child(&self, kind: Kind, child: Child) {
        let (Some(mirror), Some(told)) = (self.children.get(&kind), child.told(kind)) else { return };
        if let Told { place, version, value: Some(text) } = told {
            mirror.put(place, version, text);
        }
    }

    /// Takes out what is gone.
    pub fn remove_child(&self, kind: Kind, namespace: &str, cluster: &str) {
        if let Some(mirror) = self.children.get(&kind) {
            mirror.remove(&Place::of_child(namespace, cluster), u64::MAX);
        }
    }

    /// Notes the mark of a pod that the API server has taken in this version of it.
    pub fn mark_pod(&self, place: &Place, version: Option<&str>, cost: Option<i32>) {
        self.pods.update(place, mirror::version(version), |pod| pod.cost = cost);
    }

    /// What has not been listed yet in the scope of `served`, if anything, and why.
    pub fn unfilled(&self, scope: &Scope, served: impl Fn(Kind) -> bool) -> Option<String> {
        let child = |(kind, mirror): (&Kind, &Mirror<_>)| {
            served(*kind).then(|| mirror.unfilled(scope)).flatten().map(|why| format!("{kind}: {why}"))
        };
        let children = self.children.iter().find_map(child);
        children.or_else(|| self.pods.unfilled(scope).map(|why| format!("pods: {why}")))
    }
}

/// A cluster has one object of a kind, which bears its name.
fn parsed(seen: Seen<Vec<Box<str>>>) -> Seen<Option<Value>> {
    match seen {
        Seen::Unknown(why) => Seen::Unknown(why),
        Seen::Known(texts) => match texts.first().map(|text| serde_json::from_str(text)).transpose() {
            Ok(value) => Seen::Known(value),
            Err(error) => Seen::Unknown(error.to_string()),
        },
    }
}
