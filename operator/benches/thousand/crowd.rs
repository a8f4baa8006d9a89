//! Many clusters in several namespaces, and what a watch tells of them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crds::condition::ConditionType;
use crds::{VibeTalkCluster, VibeTalkClusterStatus};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use operator::FINALIZER;
use operator::cluster::RawCluster;
use operator::resources::{Kind, managed_by};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::broker::Broker;
use crate::program::Program;
use crate::server::Server;

const NAMESPACES: usize = 20;
const AT_ONCE: usize = 16;
const PAUSE: Duration = Duration::from_millis(50);
const DEADLINE: Duration = Duration::from_secs(900);
/// As many as a broker's management API gives at once.
const PAGE: usize = 500;

/// When something was first seen of a cluster.
#[derive(Clone, Copy, Default)]
struct Marks {
    taken: Option<Instant>,
    explained: Option<Instant>,
}

pub struct Crowd {
    pub admin: Client,
    server: &'static Server,
    _broker: Broker,
    marks: Arc<Mutex<HashMap<String, Marks>>>,
    explained: watch::Receiver<usize>,
}

impl Crowd {
    /// Empty namespaces with the Secrets of one broker and one store.
    pub async fn new(server: &'static Server) -> Self {
        let admin = Client::try_from(server.admin()).unwrap();
        let broker = Broker::start().await;
        broker.state.page.store(PAGE, Ordering::SeqCst);
        for number in 0..NAMESPACES {
            prepare(&admin, &namespace(number), &broker).await;
        }
        let (tell, explained) = watch::channel(0);
        let marks = Arc::default();
        tokio::spawn(follow(admin.clone(), Arc::clone(&marks), tell));
        Self { admin, server, _broker: broker, marks, explained }
    }

    /// Starts an operator for all namespaces.
    pub fn operator(&self, name: &str) -> Program {
        let home = namespace(0);
        Program::start(&self.server.kubeconfig(&home), (&home, name), "")
    }

    /// Waits until the operator of this name works.
    pub async fn is_led_by(&self, name: &str) {
        let api: Api<Lease> = Api::namespaced(self.admin.clone(), &namespace(0));
        let holder = async || api.get_opt("vibetalk-operator").await.unwrap()?.spec?.holder_identity;
        while holder().await.as_deref() != Some(name) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Makes clusters, spread over the namespaces.
    pub async fn make(&self, count: usize) {
        let one = |number: usize| async move { self.make_one(number, &format!("chat-{number}")).await };
        stream::iter(0..count).map(one).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    }

    /// Makes one more; how long until the operator holds it, and until its state is explained.
    pub async fn pick_up(&self, name: &str) -> (Duration, Duration) {
        let started = Instant::now();
        self.make_one(0, name).await;
        loop {
            let marks = self.marks.lock().unwrap().get(name).copied().unwrap_or_default();
            if let (Some(taken), Some(explained)) = (marks.taken, marks.explained) {
                return (taken - started, explained - started);
            }
            assert!(started.elapsed() < DEADLINE, "{name} is not taken up");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until so many are explained.
    pub async fn explained(&self, count: usize) {
        let mut explained = self.explained.clone();
        let wait = explained.wait_for(|explained| *explained >= count);
        tokio::time::timeout(DEADLINE, wait).await.expect("all are explained in time").unwrap();
    }

    /// Whether so many clusters have all their objects.
    pub async fn check(&self, count: usize) {
        let kinds =
            [Kind::ServiceAccount, Kind::ConfigMap, Kind::Service, Kind::NetworkPolicy, Kind::Deployment];
        for kind in kinds {
            let api: Api<DynamicObject> = Api::all_with(self.admin.clone(), &kind.resource());
            let list = api.list_metadata(&ListParams::default().labels(&managed_by())).await.unwrap();
            assert_eq!(list.items.len(), count, "{kind}");
        }
    }

    async fn make_one(&self, number: usize, name: &str) {
        let namespace = namespace(number % NAMESPACES);
        let cluster: VibeTalkCluster = serde_json::from_value(json!({
            "apiVersion": "vibetalk.dev/v1alpha1", "kind": "VibeTalkCluster",
            "metadata": { "name": name, "namespace": namespace },
            "spec": {
                "replicas": 2,
                "rabbitmq": { "secretRef": { "name": "mq" } },
                "mongodb": { "secretRef": { "name": "db" } },
                "auth": { "secretRef": { "name": "auth" } },
            },
        }))
        .unwrap();
        let api = Api::namespaced(self.admin.clone(), &namespace);
        api.create(&PostParams::default(), &cluster).await.unwrap();
    }
}

fn namespace(number: usize) -> String {
    format!("tenant-{number}")
}

async fn prepare(admin: &Client, name: &str, broker: &Broker) {
    let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap();
    Api::all(admin.clone()).create(&PostParams::default(), &namespace).await.unwrap();
    let (host, port) = (broker.address.ip().to_string(), broker.address.port());
    let mq = json!({
        "host": host, "username": "vibe", "password": "talk", "management-uri": format!("http://{host}:{port}"),
    });
    let db = json!({ "uri": "mongodb://store.invalid:27017" });
    let auth = json!({ "hs256": "0123456789abcdef0123456789abcdef" });
    for (secret, data) in [("mq", mq), ("db", db), ("auth", auth)] {
        let secret: Secret =
            serde_json::from_value(json!({ "metadata": { "name": secret }, "stringData": data })).unwrap();
        Api::namespaced(admin.clone(), name).create(&PostParams::default(), &secret).await.unwrap();
    }
}

/// Notes what becomes of the clusters.
async fn follow(admin: Client, marks: Arc<Mutex<HashMap<String, Marks>>>, tell: watch::Sender<usize>) {
    let clusters: Api<RawCluster> = Api::all(admin);
    let mut events =
        watcher(clusters, watcher::Config::default()).default_backoff().applied_objects().boxed();
    while let Ok(Some(cluster)) = events.try_next().await {
        let now = Instant::now();
        let mut marks = marks.lock().unwrap();
        let mark = marks.entry(cluster.name_any()).or_default();
        if cluster.finalizers().iter().any(|name| name == FINALIZER) {
            mark.taken.get_or_insert(now);
        }
        if mark.explained.is_none() && is_explained(&cluster) {
            mark.explained = Some(now);
            tell.send_modify(|count| *count += 1);
        }
    }
}

/// All is written, and what is left is up to those who run pods.
fn is_explained(cluster: &RawCluster) -> bool {
    let Ok(status) = VibeTalkClusterStatus::deserialize(&cluster.status) else { return false };
    let is = |kind: ConditionType, state: &str| {
        let conditions = serde_json::to_value(&status.conditions).unwrap();
        conditions.as_array().unwrap().iter().any(|condition: &Value| {
            condition["type"] == kind.to_string() && condition["status"] == state && condition["reason"] != ""
        })
    };
    status.observed_generation == cluster.metadata.generation
        && status.conditions.len() == ConditionType::ALL.len()
        && is(ConditionType::TopologyInSync, "True")
        && is(ConditionType::Ready, "False")
}
