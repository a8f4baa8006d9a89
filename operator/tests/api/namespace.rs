//! A namespace of its own for each test, with a broker, the Secrets, and an operator that counts its writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{Method, Request, request};
use crds::VibeTalkClusterStatus;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace as KubeNamespace, Pod, Secret};
use kube::api::{Api, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::client::{Body, ClientBuilder};
use kube::runtime::events::Recorder;
use kube::{Client, Resource, ResourceExt};
use operator::apis::Apis;
use operator::args::Defaults;
use operator::backoff::Backoff;
use operator::cache::{Cache, Follower};
use operator::cluster::RawCluster;
use operator::metrics::Metrics;
use operator::observe::Seen;
use operator::rabbitmq::Surveys;
use operator::reconcile::{Context, reconcile};
use operator::resources::{Kind, selector_text};
use operator::settled::Settled;
use operator::{MANAGER, controller, http};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::util::MapRequestLayer;

use crate::broker::Broker;
use crate::faults::{FaultLayer, Faults};
use crate::newborn::Operator;
use crate::server::{Server, server};
use crate::watch_faults::WatchFaultLayer;

/// Longer than the poll interval and the slowest step after it.
const PATIENCE: Duration = Duration::from_secs(25);

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// What the operator has asked of the API server, beside its watches.
#[derive(Default)]
pub struct Calls {
    pub all: AtomicUsize,
    pub writes: AtomicUsize,
}

/// Where one test lives.
pub struct Namespace {
    pub name: String,
    pub server: &'static Server,
    pub broker: Broker,
    admin: Client,
    context: Arc<Context>,
    calls: Arc<Calls>,
    following: AtomicBool,
    stop: CancellationToken,
}

impl Namespace {
    /// An empty namespace and a broker; `None` where there is no API server.
    pub async fn empty() -> Option<Self> {
        Self::remembering_secrets_for(Duration::ZERO).await
    }

    /// The same with an operator that believes a Secret for a while.
    pub async fn remembering_secrets_for(secret_age: Duration) -> Option<Self> {
        Self::made(secret_age, Faults::none()).await
    }

    /// An empty namespace whose broker has a fault at some call.
    pub async fn with_faults(faults: Arc<Faults>) -> Option<Self> {
        Self::made(Duration::ZERO, faults).await
    }

    async fn made(secret_age: Duration, faults: Arc<Faults>) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = server().await?;
        let name = format!("test-{}", COUNT.fetch_add(1, Ordering::SeqCst));
        let admin = Client::try_from(server.admin()).unwrap();
        let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
        let namespace = KubeNamespace { metadata, ..KubeNamespace::default() };
        Api::all(admin.clone()).create(&PostParams::default(), &namespace).await.unwrap();
        let calls = Arc::new(Calls::default());
        let context = Arc::new(context(server, &calls, secret_age, Faults::none()));
        let (broker, stop) = (Broker::with_faults(faults).await, CancellationToken::new());
        Some(Self { name, server, broker, admin, context, calls, following: AtomicBool::new(false), stop })
    }

    /// The same with the Secrets of [`spec`].
    pub async fn with_secrets() -> Option<Self> {
        let namespace = Self::empty().await?;
        namespace.make_secrets().await;
        Some(namespace)
    }

    /// Makes all of them.
    pub async fn make_secrets(&self) {
        for name in ["mq", "db", "auth"] {
            self.make_secret(name).await;
        }
    }

    /// The same for an operator that knows of the optional kinds; `None` also where the API server has none.
    pub async fn with_optional_kinds() -> Option<Self> {
        let namespace = Self::with_secrets().await?;
        if !namespace.server.has_optional_kinds {
            println!("left out: needs the definitions of optional kinds, set VIBETALK_TEST_DEFINITIONS");
            return None;
        }
        namespace.context.apis.probe(&namespace.context.client).await;
        Some(namespace)
    }

    /// Makes the Secret `mq`, `db` or `auth`.
    pub async fn make_secret(&self, name: &str) {
        match name {
            "mq" => self.make_broker_secret(name).await,
            "db" => self.put_secret(name, json!({ "uri": "mongodb://store.invalid:27017" })).await,
            _ => self.put_secret(name, json!({ "hs256": "0123456789abcdef0123456789abcdef" })).await,
        }
    }

    /// Makes a Secret of this name that leads to the broker.
    pub async fn make_broker_secret(&self, name: &str) {
        let (host, port) = (self.broker.address.ip(), self.broker.address.port());
        let data = json!({
            "host": host.to_string(), "username": "vibe", "password": "talk",
            "management-uri": format!("http://{host}:{port}"),
        });
        self.put_secret(name, data).await;
    }

    async fn put_secret(&self, name: &str, data: Value) {
        let secret: Secret =
            serde_json::from_value(json!({ "metadata": { "name": name }, "stringData": data })).unwrap();
        self.api::<Secret>().create(&PostParams::default(), &secret).await.unwrap();
    }

    /// Makes the resource.
    pub async fn make(&self, name: &str, spec: Value) {
        self.try_make(name, spec).await.unwrap();
    }

    /// Tries to make the resource, as `kubectl` does: unknown fields are refused.
    pub async fn try_make(&self, name: &str, spec: Value) -> kube::Result<RawCluster> {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let path = format!("{}?fieldValidation=Strict", self.path());
        self.send(Request::post(path), RawCluster { metadata, spec, status: Value::Null }).await
    }

    /// Tries to put another spec in the place of the whole spec, or only asks whether it could.
    pub async fn try_replace(&self, name: &str, spec: Value, is_trial: bool) -> kube::Result<RawCluster> {
        let raw = RawCluster { spec, ..self.api::<RawCluster>().get(name).await? };
        let trial = if is_trial { "?dryRun=All" } else { "" };
        self.send(Request::put(format!("{}/{name}{trial}", self.path())), raw).await
    }

    fn path(&self) -> String {
        format!("/apis/vibetalk.dev/v1alpha1/namespaces/{}/vibetalkclusters", self.name)
    }

    async fn send(&self, request: request::Builder, raw: RawCluster) -> kube::Result<RawCluster> {
        let mut body = serde_json::to_value(raw).unwrap();
        body["apiVersion"] = RawCluster::api_version(&()).into();
        body["kind"] = RawCluster::kind(&()).into();
        body.as_object_mut().unwrap().remove("status");
        let request = request.header("content-type", "application/json");
        self.admin.request(request.body(body.to_string().into_bytes()).unwrap()).await
    }

    /// Objects of a kind, as someone who may do everything.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.admin.clone(), &self.name)
    }

    /// Changes the spec by a merge patch.
    pub async fn change(&self, name: &str, spec: Value) -> kube::Result<RawCluster> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        self.api::<RawCluster>().patch(name, &PatchParams::default(), &patch).await
    }

    /// Objects of one of the operator's kinds, as someone who may do everything.
    pub fn children(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.admin.clone(), &self.name, &kind.resource())
    }

    /// The cluster's object of a kind.
    pub async fn child(&self, kind: Kind, name: &str) -> Option<DynamicObject> {
        self.children(kind).get_opt(name).await.unwrap()
    }

    /// Lets the operator visit once, and returns how much it wrote to the API server.
    pub async fn visit(&self, name: &str) -> Result<usize, operator::reconcile::Error> {
        let raw = self.api::<RawCluster>().get(name).await.unwrap();
        self.visit_as(raw).await
    }

    /// The same with a resource that the caller has changed.
    pub async fn visit_as(&self, raw: RawCluster) -> Result<usize, operator::reconcile::Error> {
        self.catch_up(&raw.name_any()).await;
        let before = self.calls.writes.load(Ordering::SeqCst);
        reconcile(Arc::new(raw), Instant::now(), self.context.clone()).await?;
        Ok(self.calls.writes.load(Ordering::SeqCst) - before)
    }

    /// Everything that the operator has asked of the API server so far, beside its watches.
    pub fn calls(&self) -> usize {
        self.calls.all.load(Ordering::SeqCst)
    }

    /// Lets the operator's watches tell it what is there now.
    async fn catch_up(&self, name: &str) {
        if !self.following.swap(true, Ordering::SeqCst) {
            self.follow();
        }
        let cache = &self.context.cache;
        let serves = |kind| self.context.apis.serves(kind);
        let version = |value: Option<&Value>| value.map(|live| live["metadata"]["resourceVersion"].clone());
        for kind in Kind::ALL.into_iter().filter(|kind| serves(*kind)) {
            eventually(&format!("the operator has seen {kind} {name}"), async || {
                let own = |live: &DynamicObject| {
                    live.labels().get(MANAGED_BY).is_some_and(|value| value == MANAGER)
                };
                let live =
                    self.child(kind, name).await.filter(own).map(|live| serde_json::to_value(live).unwrap());
                let children = cache.children((&self.name, name), serves);
                matches!(children.0[&kind], Seen::Known(_))
                    && version(children.get(kind)) == version(live.as_ref())
            })
            .await;
        }
        eventually("the operator has seen the pods", async || {
            let params = ListParams::default().labels(&selector_text(name));
            let live = self.api::<Pod>().list(&params).await.unwrap().items;
            let live: Vec<_> =
                live.iter().map(|pod| (pod.name_any(), pod.metadata.deletion_timestamp.is_some())).collect();
            let Seen::Known(seen) = cache.pods(&self.name, name) else { return false };
            seen.into_iter().map(|pod| (pod.name, pod.ends_by.is_some())).eq(live)
        })
        .await;
    }

    fn follow(&self) {
        self.follow_into(self.context.clone(), (self.stop.clone(), Faults::none()));
    }

    /// Lets watches tell an operator what is there, until it ends.
    fn follow_into(&self, context: Arc<Context>, (stop, faults): (CancellationToken, Arc<Faults>)) {
        let scope = Some(self.name.clone());
        let client = ClientBuilder::try_from(self.server.operator()).unwrap();
        let client = client.with_layer(&WatchFaultLayer(faults)).build();
        tokio::spawn(async move {
            let (trigger, mut triggered) = mpsc::channel(1);
            let Context { cache, apis, metrics, .. } = &*context;
            let follower = Follower { client: &client, cache, apis, metrics };
            tokio::select! {
                () = follower.follow(&scope, &trigger) => {}
                () = async { while triggered.recv().await.is_some() {} } => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Visits until nothing is left to do.
    pub async fn settle(&self, name: &str) {
        for _ in 0..6 {
            if self.visit(name).await.unwrap() == 0 {
                return;
            }
        }
        panic!("{name} is still being written after six visits");
    }

    /// An operator that has just started: it knows what is there, and remembers nothing. It has faults at its calls and
    /// in its watches.
    pub async fn newborn(&self, faults: Arc<Faults>, in_watches: Arc<Faults>) -> Operator {
        let context = Arc::new(context(self.server, &self.calls, Duration::from_secs(60), faults));
        let stop = CancellationToken::new();
        self.follow_into(context.clone(), (stop.clone(), in_watches));
        Operator::born(context, self.calls.clone(), (&self.name, stop)).await
    }

    /// Starts the operator on this namespace, as it runs in a cluster; it ends with the test.
    pub fn run_operator(&self) {
        let (context, name, stop) = (self.context.clone(), self.name.clone(), self.stop.clone());
        tokio::spawn(async move { controller::run(context, &[name], stop).await });
    }

    /// Does to the Deployment what its controller does, with pods that are ready at once; its version, if there was
    /// something to do.
    pub async fn run_controllers(&self, name: &str) -> Option<String> {
        let api = self.api::<Deployment>();
        let deployment = api.get_opt(name).await.unwrap()?;
        let (replicas, generation) = (deployment.spec?.replicas, deployment.metadata.generation);
        let done = deployment.status.unwrap_or_default();
        // No pods are nothing to write down.
        let counted = replicas.filter(|replicas| *replicas > 0);
        if done.observed_generation == generation && done.ready_replicas == counted {
            return None;
        }
        let status = json!({ "status": {
            "observedGeneration": generation,
            "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas,
        } });
        let patched = api.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
        patched.resource_version()
    }

    pub async fn status(&self, name: &str) -> VibeTalkClusterStatus {
        // Not the typed resource: the spec may be one that cannot be parsed.
        let raw = self.api::<RawCluster>().get(name).await.unwrap();
        serde_json::from_value(raw.status).unwrap_or_default()
    }

    /// Status, reason and message of a condition; empty before the first visit.
    pub async fn condition(&self, name: &str, type_: &str) -> (String, String, String) {
        let conditions = self.status(name).await.conditions;
        let found = conditions.into_iter().find(|condition| condition.type_ == type_);
        found.map(|one| (one.status, one.reason, one.message)).unwrap_or_default()
    }

    /// Whether an object of the kind exists.
    pub async fn has<K>(&self, name: &str) -> bool
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + DeserializeOwned,
    {
        self.api::<K>().get_opt(name).await.unwrap().is_some()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A small valid spec.
pub fn spec() -> Value {
    json!({
        "replicas": 2,
        "rabbitmq": { "secretRef": { "name": "mq" }, "partitions": 2 },
        "mongodb": { "secretRef": { "name": "db" } },
        "auth": { "secretRef": { "name": "auth" } },
    })
}

/// Waits until `holds`.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn context(server: &Server, calls: &Arc<Calls>, secret_age: Duration, faults: Arc<Faults>) -> Context {
    let calls = Arc::clone(calls);
    let count = MapRequestLayer::new(move |request: Request<Body>| {
        calls.all.fetch_add(1, Ordering::SeqCst);
        if request.method() != Method::GET {
            calls.writes.fetch_add(1, Ordering::SeqCst);
        }
        request
    });
    let client = ClientBuilder::try_from(server.operator())
        .unwrap()
        .with_layer(&count)
        .with_layer(&FaultLayer(faults))
        .build();
    Context {
        recorder: Recorder::new(client.clone(), MANAGER.into()),
        client,
        apis: Apis::default(),
        cache: Cache::new(secret_age),
        surveys: Surveys::new(Duration::ZERO, Duration::ZERO),
        http: http::client().unwrap(),
        metrics: Metrics::new().unwrap(),
        defaults: Defaults { chat_node_image: "chat-node:test".to_owned(), pod_namespace: None },
        backoff: Backoff::default(),
        settled: Settled::default(),
    }
}
