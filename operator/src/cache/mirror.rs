//! Objects of one kind as a watch tells them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::observe::Seen;

/// What one watch sees: a namespace, or all of them.
pub type Scope = Option<String>;

/// Where an object belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its namespace.
    pub namespace: String,
    /// The cluster that it is part of.
    pub cluster: String,
    /// Its name.
    pub name: String,
}

/// What the API server told of an object.
#[derive(Debug)]
pub(super) struct Told<T> {
    pub(super) place: Place,
    pub(super) version: u64,
    /// What is kept of it; nothing if it is gone, or as good as gone.
    pub(super) value: Option<T>,
}

/// Objects by the cluster that they are part of. Of two versions of an object the newer one is kept, whichever comes
/// last: the answer to a write may overtake the watch.
#[derive(Debug)]
pub(super) struct Mirror<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    clusters: HashMap<(String, String), BTreeMap<String, Entry<T>>>,
    scopes: BTreeMap<Scope, Filling>,
}

#[derive(Debug)]
struct Entry<T> {
    version: u64,
    value: T,
}

#[derive(Debug)]
enum Filling {
    Filled,
    Failed(String),
}

const NOT_YET: &str = "not listed yet";

/// A resource version as a number, which it is since Kubernetes 1.35 by promise and was before; 0 if not.
pub(super) fn version(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl Place {
    /// That of a cluster's own object, which bears its name.
    pub fn of_child(namespace: &str, cluster: &str) -> Self {
        let [namespace, cluster, name] = [namespace, cluster, cluster].map(str::to_owned);
        Self { namespace, cluster, name }
    }

    fn key(&self) -> (String, String) {
        (self.namespace.clone(), self.cluster.clone())
    }
}

impl<T> Default for Mirror<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { clusters: HashMap::new(), scopes: BTreeMap::new() }) }
    }
}

impl<T: Clone + PartialEq> Mirror<T> {
    /// A cluster's objects, in the order of their names, once its namespace has been listed.
    pub(super) fn get(&self, namespace: &str, cluster: &str) -> Seen<Vec<T>> {
        let state = self.lock();
        let fillings = [Some(namespace.to_owned()), None].map(|scope| state.scopes.get(&scope));
        match fillings.into_iter().flatten().next() {
            None => Seen::Unknown(NOT_YET.to_owned()),
            Some(Filling::Failed(why)) => Seen::Unknown(why.clone()),
            Some(Filling::Filled) => {
                let objects = state.clusters.get(&(namespace.to_owned(), cluster.to_owned()));
                Seen::Known(objects.into_iter().flatten().map(|(_, entry)| entry.value.clone()).collect())
            }
        }
    }

    /// The version of a cluster's objects, in the order of their names.
    pub(super) fn versions(&self, namespace: &str, cluster: &str) -> Vec<u64> {
        let state = self.lock();
        let objects = state.clusters.get(&(namespace.to_owned(), cluster.to_owned()));
        objects.into_iter().flatten().map(|(_, entry)| entry.version).collect()
    }

    /// Why a scope's objects are not known, if they are not.
    pub(super) fn unfilled(&self, scope: &Scope) -> Option<String> {
        match self.lock().scopes.get(scope) {
            Some(Filling::Filled) => None,
            Some(Filling::Failed(why)) => Some(why.clone()),
            None => Some(NOT_YET.to_owned()),
        }
    }

    /// Puts an object in, unless a newer one has come; whether that changed anything.
    pub(super) fn put(&self, place: Place, version: u64, value: T) -> bool {
        self.lock().put(place, version, value)
    }

    /// Changes an object that is in.
    pub(super) fn update(&self, place: &Place, version: u64, change: impl FnOnce(&mut T)) {
        let mut state = self.lock();
        let entry = state.clusters.get_mut(&place.key()).and_then(|objects| objects.get_mut(&place.name));
        if let Some(entry) = entry.filter(|entry| version >= entry.version) {
            entry.version = version;
            change(&mut entry.value);
        }
    }

    /// Takes an object out, unless a newer one has come.
    pub(super) fn remove(&self, place: &Place, version: u64) -> Option<T> {
        let mut state = self.lock();
        let objects = state.clusters.get_mut(&place.key())?;
        objects.get(&place.name).filter(|entry| entry.version <= version)?;
        let removed = objects.remove(&place.name);
        if objects.is_empty() {
            state.clusters.remove(&place.key());
        }
        removed.map(|entry| entry.value)
    }

    /// Takes in a whole list of a scope. Returns which clusters that changed.
    pub(super) fn replace(&self, scope: &Scope, listed: Vec<Told<T>>) -> BTreeSet<(String, String)> {
        let mut state = self.lock();
        let there = listed.iter().filter(|told| told.value.is_some());
        let names: BTreeSet<_> = there.map(|told| told.place.clone()).collect();
        let mut changed = state.keep_only(scope, &names);
        for Told { place, version, value } in listed {
            let (key, Some(value)) = (place.key(), value) else { continue };
            if state.put(place, version, value) {
                changed.insert(key);
            }
        }
        state.scopes.insert(scope.clone(), Filling::Filled);
        changed
    }

    /// Notes why a scope cannot be listed. What was known before is still the best guess.
    pub(super) fn failed(&self, scope: &Scope, why: String) {
        let mut state = self.lock();
        if !matches!(state.scopes.get(scope), Some(Filling::Filled)) {
            state.scopes.insert(scope.clone(), Filling::Failed(why));
        }
    }

    /// Forgets a scope, as if it had never been listed.
    pub(super) fn forget(&self, scope: &Scope) {
        let mut state = self.lock();
        state.keep_only(scope, &BTreeSet::new());
        state.scopes.remove(scope);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Every change is complete before the lock is let go.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: PartialEq> State<T> {
    fn put(&mut self, place: Place, version: u64, value: T) -> bool {
        let objects = self.clusters.entry(place.key()).or_default();
        match objects.get_mut(&place.name) {
            Some(entry) if entry.version > version => false,
            Some(entry) => {
                let changed = entry.value != value;
                *entry = Entry { version, value };
                changed
            }
            None => {
                objects.insert(place.name, Entry { version, value });
                true
            }
        }
    }

    fn keep_only(&mut self, scope: &Scope, names: &BTreeSet<Place>) -> BTreeSet<(String, String)> {
        let mut changed = BTreeSet::new();
        for (key, objects) in &mut self.clusters {
            if scope.as_ref().is_some_and(|namespace| *namespace != key.0) {
                continue;
            }
            let before = objects.len();
            objects.retain(|name, _| {
                let (namespace, cluster) = key.clone();
                names.contains(&Place { namespace, cluster, name: name.clone() })
            });
            if objects.len() != before {
                changed.insert(key.clone());
            }
        }
        self.clusters.retain(|_, objects| !objects.is_empty());
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(namespace: &str, name: &str) -> Place {
        Place { namespace: namespace.to_owned(), cluster: "demo".to_owned(), name: name.to_owned() }
    }

    fn told((namespace, name): (&str, &str), version: u64, value: u8) -> Told<u8> {
        Told { place: place(namespace, name), version, value: Some(value) }
    }

    fn filled() -> Mirror<u8> {
        let mirror = Mirror::default();
        mirror.replace(&None, vec![told(("a", "x"), 5, 1), told(("b", "y"), 6, 2)]);
        mirror
    }

    #[test]
    fn nothing_is_known_before_it_was_listed() {
        let mirror = Mirror::<u8>::default();
        assert_eq!(mirror.get("a", "demo"), Seen::Unknown(NOT_YET.to_owned()));
        mirror.failed(&None, "forbidden".to_owned());
        assert_eq!(mirror.get("a", "demo"), Seen::Unknown("forbidden".to_owned()));
        mirror.replace(&None, Vec::new());
        assert_eq!(mirror.get("a", "demo"), Seen::Known(Vec::new()));
        mirror.failed(&None, "watch cut".to_owned());
        assert_eq!(mirror.get("a", "demo"), Seen::Known(Vec::new()), "what was known stays");
    }

    #[test]
    fn the_answer_to_a_write_overtakes_the_watch() {
        let mirror = filled();
        assert!(mirror.put(place("a", "x"), 9, 3));
        assert!(!mirror.put(place("a", "x"), 7, 1), "an older event comes late");
        assert_eq!(mirror.get("a", "demo"), Seen::Known(vec![3]));
        assert!(!mirror.put(place("a", "x"), 9, 3), "its own event changes nothing");
        assert_eq!(mirror.remove(&place("a", "x"), 8), None);
        assert_eq!(mirror.get("a", "demo"), Seen::Known(vec![3]), "nor does the end of an older one");
        assert_eq!(mirror.remove(&place("a", "x"), 10), Some(3));
        assert_eq!(mirror.get("a", "demo"), Seen::Known(Vec::new()));
    }

    #[test]
    fn a_new_list_of_a_namespace_leaves_the_others() {
        let mirror = filled();
        let a = Some("a".to_owned());
        let changed = mirror.replace(&a, vec![told(("a", "z"), 8, 4)]);
        assert_eq!(changed, [("a".to_owned(), "demo".to_owned())].into());
        assert_eq!(mirror.get("a", "demo"), Seen::Known(vec![4]));
        assert_eq!(mirror.get("b", "demo"), Seen::Known(vec![2]));
        mirror.forget(&a);
        assert_eq!(mirror.get("a", "demo"), Seen::Known(Vec::new()), "all namespaces are listed too");
    }
}
