//! The watches that fill the cache: one for each kind and one for the pods. Each tells which cluster a change is about.

use std::fmt::Debug;

use futures::future::join_all;
use futures::{FutureExt, Stream, StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Config, Event, watcher};
use tokio::sync::mpsc;

use super::mirror::{Mirror, Place, Scope};
use super::{Cache, Child, pods};
use crate::apis::Apis;
use crate::cluster::RawCluster;
use crate::resources::{Kind, NODE_LABEL, managed_by};

/// Objects in one answer to a list; more would only be held in memory at once.
const PAGE: u32 = 100;

/// Tells a cluster to visit.
pub type Trigger = mpsc::Sender<ObjectRef<RawCluster>>;

/// Fills the cache from all namespaces, or from one, for as long as it runs. Every change of a cluster's objects and
/// pods that was not already in the cache is told.
pub async fn follow(client: &Client, (cache, apis): (&Cache, &Apis), scope: &Scope, trigger: &Trigger) {
    let kinds = cache.children.iter().map(|(kind, mirror)| {
        let kind = *kind;
        async move {
            loop {
                apis.until(kind, true).await;
                let watch = Watch { mirror, scope, trigger };
                let stream = watcher(
                    children(client, kind, scope),
                    Config::default().labels(&managed_by()).page_size(PAGE),
                );
                tokio::select! {
                    () = watch.run(stream, |child: Child| (child.place(), child.kept(kind))) => {}
                    // The kind was taken away.
                    () = apis.until(kind, false) => mirror.forget(scope),
                }
            }
        }
        .boxed()
    });
    let config = Config::default().labels(NODE_LABEL).page_size(PAGE);
    let watch = Watch { mirror: &cache.pods, scope, trigger };
    let pods =
        watch.run(watcher(pod_api(client, scope), config), |pod: Pod| (pods::place(&pod), pods::kept(&pod)));
    futures::join!(join_all(kinds), pods);
}

fn children(client: &Client, kind: Kind, scope: &Scope) -> Api<Child> {
    match scope {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind.resource()),
        None => Api::all_with(client.clone(), &kind.resource()),
    }
}

fn pod_api(client: &Client, scope: &Scope) -> Api<Pod> {
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

struct Watch<'a, T> {
    mirror: &'a Mirror<T>,
    scope: &'a Scope,
    trigger: &'a Trigger,
}

type Kept<T> = (Option<Place>, Option<(Place, u64, T)>);

impl<T: Clone + PartialEq + Debug> Watch<'_, T> {
    /// `keep` says where an object belongs, and what is kept of it, if anything is.
    async fn run<K>(&self, events: impl Stream<Item = watcher::Result<Event<K>>>, keep: impl Fn(K) -> Kept<T>)
    where
        K: kube::Resource + Clone,
    {
        let events = events.default_backoff();
        pin_mut!(events);
        let mut listed = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => listed.extend(keep(object).1),
                Ok(Event::InitDone) => {
                    for (namespace, cluster) in self.mirror.replace(self.scope, std::mem::take(&mut listed)) {
                        self.tell(&namespace, &cluster).await;
                    }
                }
                Ok(Event::Apply(object)) => self.changed(keep(object)).await,
                Ok(Event::Delete(object)) => self.changed((keep(object).0, None)).await,
                Err(error) => self.mirror.failed(self.scope, explain(&error)),
            }
        }
    }

    async fn changed(&self, (place, kept): Kept<T>) {
        let Some(place) = place else { return };
        let changed = match kept {
            Some((_, version, value)) => self.mirror.put(place.clone(), version, value),
            None => {
                self.mirror.remove(&place, u64::MAX);
                true
            }
        };
        if changed {
            self.tell(&place.namespace, &place.cluster).await;
        }
    }

    async fn tell(&self, namespace: &str, cluster: &str) {
        // Nobody listens only when the operator ends.
        let _ = self.trigger.send(ObjectRef::new(cluster).within(namespace)).await;
    }
}

/// The innermost cause.
fn explain(error: &watcher::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
