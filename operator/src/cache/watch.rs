//! The watches that fill the cache: one for each kind and one for the pods. Each tells which cluster a change is about.

use std::fmt::Debug;

use futures::future::join_all;
use futures::{FutureExt, Stream, StreamExt, pin_mut};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Config, Event, watcher};
use tokio::sync::mpsc;

use super::mirror::{Mirror, Scope, Told};
use super::{Cache, Child, PodFacts, pods};
use crate::apis::Apis;
use crate::cluster::KeptCluster;
use crate::metrics::Metrics;
use crate::resources::{Kind, NODE_LABEL, managed_by};

/// Objects in one answer to a list; more would only be held in memory at once.
const PAGE: u32 = 100;

/// Tells a cluster to visit.
pub type Trigger = mpsc::Sender<ObjectRef<KeptCluster>>;

/// Fills the cache.
#[derive(Clone, Copy)]
pub struct Follower<'a> {
    /// The API server.
    pub client: &'a Client,
    /// What is filled.
    pub cache: &'a Cache,
    /// The optional kinds that there are.
    pub apis: &'a Apis,
    /// Counters.
    pub metrics: &'a Metrics,
}

impl Follower<'_> {
    /// Fills the cache from all namespaces, or from one, for as long as it runs. Every change of a cluster's objects
    /// and pods that was not already in the cache is told.
    pub async fn follow(&self, scope: &Scope, trigger: &Trigger) {
        let tell = Tell { trigger, metrics: self.metrics };
        let kinds = self.cache.children.iter().map(|(kind, mirror)| {
            self.follow_kind(*kind, Watch { mirror, scope, tell, gone: &|_| {} }).boxed()
        });
        let gone = |pod: &PodFacts| self.ended(pod);
        let watch = Watch { mirror: &self.cache.pods, scope, tell, gone: &gone };
        let config = Config::default().labels(NODE_LABEL).page_size(PAGE);
        let events = watcher(pod_api(self.client, scope), config);
        let pods = watch.run(events, |pod: Pod| pods::told(&pod));
        futures::join!(join_all(kinds), pods);
    }

    /// A kind may come and go.
    async fn follow_kind(&self, kind: Kind, watch: Watch<'_, Box<str>>) {
        let config = Config::default().labels(&managed_by()).page_size(PAGE);
        loop {
            self.apis.until(kind, true).await;
            let events = watcher(children(self.client, kind, watch.scope), config.clone());
            tokio::select! {
                () = watch.run(events, |child: Child| child.told(kind)) => {}
                () = self.apis.until(kind, false) => watch.mirror.forget(watch.scope),
            }
        }
    }

    fn ended(&self, pod: &PodFacts) {
        let took = pod.ends_since.and_then(|since| Timestamp::now().duration_since(since).try_into().ok());
        if let Some(took) = took {
            self.metrics.drained(took);
        }
    }
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

/// Tells which cluster a change is about.
#[derive(Clone, Copy)]
struct Tell<'a> {
    trigger: &'a Trigger,
    metrics: &'a Metrics,
}

struct Watch<'a, T> {
    mirror: &'a Mirror<T>,
    scope: &'a Scope,
    tell: Tell<'a>,
    /// Is told of what was there and is gone.
    gone: &'a (dyn Fn(&T) + Sync),
}

impl<T: Clone + PartialEq + Debug> Watch<'_, T> {
    /// `told` says where an object belongs, and what is kept of it.
    async fn run<K>(
        &self,
        events: impl Stream<Item = watcher::Result<Event<K>>>,
        told: impl Fn(K) -> Option<Told<T>>,
    ) where
        K: kube::Resource + Clone,
    {
        let events = events.default_backoff();
        pin_mut!(events);
        let mut listed = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => listed.extend(told(object)),
                Ok(Event::InitDone) => {
                    for (namespace, cluster) in self.mirror.replace(self.scope, std::mem::take(&mut listed)) {
                        self.tell.tell(&namespace, &cluster).await;
                    }
                }
                Ok(Event::Apply(object)) => self.changed(told(object)).await,
                Ok(Event::Delete(object)) => {
                    self.changed(told(object).map(|told| Told { value: None, ..told })).await;
                }
                Err(error) => self.mirror.failed(self.scope, explain(&error)),
            }
        }
    }

    async fn changed(&self, told: Option<Told<T>>) {
        let Some(Told { place, version, value }) = told else { return };
        let changed = match value {
            Some(value) => self.mirror.put(place.clone(), version, value),
            None => self.mirror.remove(&place, version).inspect(|gone| (self.gone)(gone)).is_some(),
        };
        if changed {
            self.tell.tell(&place.namespace, &place.cluster).await;
        }
    }
}

impl Tell<'_> {
    async fn tell(&self, namespace: &str, cluster: &str) {
        self.metrics.changes_waiting(self.trigger.max_capacity() - self.trigger.capacity());
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
