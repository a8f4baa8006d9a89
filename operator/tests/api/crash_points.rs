//! A fault at every single call that the operator makes while a cluster is made, changed, shrunk, moved to other
//! partitions or deleted, and at everything that its watches are told meanwhile. Each time it ends as it does without a
//! fault, and then nothing is written any more.
//!
//! With `VT_TEST_FAULTS=all` every call is hit by every fault, which takes minutes; without it a share of these points,
//! spread evenly.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use operator::cluster::RawCluster;
use operator::resources::{Kind, selector, selector_text};
use serde_json::{Value, json};

use crate::chat_nodes::Fleet;
use crate::faults::{Fault, Faults, Place};
use crate::namespace::{Namespace, spec};
use crate::newborn::Operator;

/// Points that are tried at once.
const AT_ONCE: usize = 6;
/// Points that are tried of a story, where not all are.
const SHARE: usize = 24;
/// Until all must be over, however busy this machine is.
const PATIENCE: Duration = Duration::from_secs(180);
/// For chat nodes and watches, between two visits.
const PAUSE: Duration = Duration::from_millis(30);

const FAULTS: [Fault; 8] = [
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::Refuse(409),
    Fault::Refuse(410),
    Fault::Refuse(429),
    Fault::Refuse(500),
    Fault::LoseAnswer,
    Fault::Delay,
];

const WATCH_FAULTS: [Fault; 2] = [Fault::Cut, Fault::Gone];

/// Which fault is where.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    /// At the call of this number.
    Call(usize, Fault),
    /// At the piece of this number of what the watches are told.
    Watch(usize, Fault),
}

/// What happens to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    Create,
    Change,
    Shrink,
    Repartition,
    Delete,
}

/// One cluster and one fault.
struct Point {
    story: Story,
    namespace: Namespace,
    faults: Arc<Faults>,
    in_watches: Arc<Faults>,
    fleet: Option<Arc<Fleet>>,
}

/// What is there in the end.
#[derive(Debug, PartialEq)]
struct End {
    /// Digest of every object's wishes by its kind.
    objects: BTreeMap<String, Value>,
    exchanges: Vec<String>,
}

impl Trouble {
    /// At the calls, and in the watches.
    fn faults(self) -> (Arc<Faults>, Arc<Faults>) {
        match self {
            Self::None => (Faults::none(), Faults::none()),
            Self::Call(at, fault) => (Faults::at(at, fault), Faults::none()),
            Self::Watch(at, fault) => (Faults::none(), Faults::at(at, fault)),
        }
    }
}

impl Point {
    async fn prepare(story: Story, trouble: Trouble) -> Option<Self> {
        let (faults, in_watches) = trouble.faults();
        let namespace = Namespace::with_faults(Arc::clone(&faults)).await?;
        namespace.make_secrets().await;
        let mut point = Self { story, namespace, faults, in_watches, fleet: None };
        let mut before = spec();
        if story == Story::Shrink {
            before["replicas"] = 3.into();
        }
        if story != Story::Create {
            point.namespace.make("demo", before).await;
            let operator = point.namespace.newborn(Faults::none(), Faults::none()).await;
            while !matches!(point.visit(&operator).await, Ok(0)) {}
        }
        match story {
            Story::Shrink => point.make_pods().await,
            Story::Repartition => {
                let fleet = Fleet::new(&point.namespace, "demo", Arc::clone(&point.faults));
                fleet.boot(&point.namespace, "a").await;
                fleet.boot(&point.namespace, "b").await;
                point.fleet = Some(fleet);
            }
            Story::Create | Story::Change | Story::Delete => {}
        }
        Some(point)
    }

    /// What the user does.
    async fn begin(&self) {
        let change = match self.story {
            Story::Create => return self.namespace.make("demo", spec()).await,
            Story::Delete => {
                let api = self.namespace.api::<RawCluster>();
                return drop(api.delete("demo", &DeleteParams::default()).await.unwrap());
            }
            Story::Change => json!({
                "officialGroup": { "name": "Lobby" }, "exposure": { "ingress": { "className": "nginx" } },
            }),
            Story::Shrink => json!({ "replicas": 1 }),
            Story::Repartition => json!({ "rabbitmq": { "partitions": 3 } }),
        };
        self.namespace.change("demo", change).await.unwrap();
    }

    /// Visits until all is over; a new operator follows one that ended.
    async fn run(&self) -> Operator {
        self.faults.arm();
        self.in_watches.arm();
        let (started, mut last) = (Instant::now(), String::new());
        let mut operator = self.newborn().await;
        while started.elapsed() < PATIENCE {
            tokio::select! {
                biased;
                () = self.faults.crashed() => operator = self.newborn().await,
                visited = self.visit(&operator) => match visited {
                    Ok(0) if self.is_over().await => return operator,
                    Ok(written) => last = format!("{written} writes"),
                    Err(error) => last = error.to_string(),
                },
            };
            self.others_work().await;
        }
        let status = self.namespace.status("demo").await;
        panic!("not over in {PATIENCE:?}, {:?}, at last {last}: {status:#?}", self.hit());
    }

    async fn newborn(&self) -> Operator {
        self.namespace.newborn(Arc::clone(&self.faults), Arc::clone(&self.in_watches)).await
    }

    /// What was hit, if anything was.
    fn hit(&self) -> Option<(Place, String)> {
        self.faults.hit().or_else(|| self.in_watches.hit())
    }

    /// What was written.
    async fn visit(&self, operator: &Operator) -> Result<usize, operator::reconcile::Error> {
        match self.namespace.api::<RawCluster>().get_opt("demo").await.unwrap() {
            Some(raw) => operator.visit(raw).await,
            None => Ok(0),
        }
    }

    async fn is_over(&self) -> bool {
        match self.story {
            Story::Create | Story::Change => true,
            Story::Delete => !self.namespace.has::<RawCluster>("demo").await,
            // A broken watch tells of the last step a while later.
            Story::Shrink => {
                self.pods().await.len() == 1 && self.namespace.status("demo").await.ready_replicas == 1
            }
            Story::Repartition => {
                let topology = self.namespace.status("demo").await.topology;
                topology.is_some_and(|topology| topology.partitions == 3 && topology.step.is_none())
            }
        }
    }

    /// What Kubernetes and the chat nodes do meanwhile.
    async fn others_work(&self) {
        if self.story == Story::Shrink {
            self.follow_deployment().await;
        }
        tokio::time::sleep(PAUSE).await;
    }

    async fn follow_deployment(&self) {
        let api = self.namespace.api::<Deployment>();
        let deployment = api.get("demo").await.unwrap();
        let replicas = deployment.spec.unwrap().replicas.unwrap();
        let pods = self.pods().await;
        let leaving = pods.len().saturating_sub(usize::try_from(replicas).unwrap());
        for pod in pods.iter().take(leaving) {
            let now = DeleteParams::default().grace_period(0);
            self.namespace.api::<Pod>().delete(&pod.name_any(), &now).await.unwrap();
        }
        let status = json!({ "status": {
            "observedGeneration": deployment.metadata.generation,
            "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas,
        } });
        api.patch_status("demo", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    }

    /// The pods, the one that goes first before the others.
    async fn pods(&self) -> Vec<Pod> {
        let params = ListParams::default().labels(&selector_text("demo"));
        let mut pods = self.namespace.api::<Pod>().list(&params).await.unwrap().items;
        let is_marked = |pod: &Pod| pod.annotations().contains_key(operator::act::DELETION_COST);
        pods.sort_by_key(|pod| (!is_marked(pod), pod.name_any()));
        pods
    }

    async fn make_pods(&self) {
        for name in ["a", "b", "c"] {
            let pod: Pod = serde_json::from_value(json!({
                "metadata": { "name": name, "labels": selector("demo") },
                "spec": { "containers": [{ "name": "chat-node", "image": "chat-node:test" }] },
            }))
            .unwrap();
            self.namespace.api::<Pod>().create(&PostParams::default(), &pod).await.unwrap();
        }
        self.follow_deployment().await;
    }

    async fn end(&self) -> End {
        let mut objects = BTreeMap::new();
        for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_optional()) {
            if let Some(object) = self.namespace.child(kind, "demo").await {
                // What is told of the pods' node order, image, ports …: all that was wished for.
                let applied = object.annotations().get(operator::resources::APPLIED_ANNOTATION).cloned();
                objects.insert(kind.to_string(), json!(applied.is_some()));
            }
        }
        let own = format!("vt.{}.", self.namespace.name);
        let names = self.namespace.broker.names();
        let exchanges = names.iter().map(|name| name.strip_prefix(&own).unwrap_or(name).to_owned()).collect();
        End { objects, exchanges }
    }
}

/// What came of a story.
struct Outcome {
    end: End,
    calls: usize,
    /// Pieces that the watches were told.
    told: usize,
    hit: Option<(Place, String)>,
}

/// Goes through a story with a fault, if there is one, and tells how it ends.
async fn go(story: Story, trouble: Trouble) -> Option<Outcome> {
    let point = Point::prepare(story, trouble).await?;
    point.begin().await;
    let operator = point.run().await;
    let (calls, told, hit) = (point.faults.calls(), point.in_watches.calls(), point.hit());
    let end = point.end().await;
    let changes = point.namespace.broker.changes();
    assert!(matches!(point.visit(&operator).await, Ok(0)), "{story:?} {trouble:?} {hit:?}");
    assert_eq!(point.namespace.broker.changes(), changes, "{story:?} {trouble:?}");
    if let Some(fleet) = &point.fleet {
        let (published, missed, refused) = fleet.counts();
        assert!(published > 0 && (missed, refused) == (0, 0), "{story:?} {trouble:?}: {missed} {refused}");
    }
    Some(Outcome { end, calls, told, hit })
}

/// Of all places and faults a share, spread evenly, or all.
fn points(places: usize, faults: &[Fault]) -> Vec<(usize, Fault)> {
    let all = (0..places).flat_map(|place| faults.iter().map(move |fault| (place, *fault)));
    if std::env::var("VT_TEST_FAULTS").is_ok_and(|which| which == "all") {
        return all.collect();
    }
    // Not a multiple of the number of faults, so that each has its turn.
    let stride = (places * faults.len() / SHARE) | 1;
    all.step_by(stride).collect()
}

/// Goes through the story with each trouble, and compares how it ends.
async fn compare(story: Story, wanted: &End, troubles: Vec<Trouble>) {
    let (started, count) = (Instant::now(), troubles.len());
    let outcomes: Vec<_> = stream::iter(troubles)
        .map(|trouble| async move { (trouble, go(story, trouble).await.unwrap()) })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let hit = outcomes.iter().filter(|(_, outcome)| outcome.hit.is_some()).count();
    for (trouble, Outcome { end, hit, .. }) in outcomes {
        assert_eq!(
            (&end.objects, &end.exchanges.len()),
            (&wanted.objects, &wanted.exchanges.len()),
            "{trouble:?} {hit:?}"
        );
    }
    println!("{story:?}: {hit} of {count} points hit in {:.1?}", started.elapsed());
}

async fn every_point_of(story: Story) {
    let Some(Outcome { end, calls, .. }) = go(story, Trouble::None).await else { return };
    println!("{story:?}: {} points", calls * FAULTS.len());
    let troubles = points(calls, &FAULTS).into_iter().map(|(at, fault)| Trouble::Call(at, fault)).collect();
    compare(story, &end, troubles).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_arrives_whichever_watch_breaks() {
    for story in [Story::Create, Story::Change, Story::Shrink, Story::Repartition, Story::Delete] {
        let Some(Outcome { end, told, .. }) = go(story, Trouble::None).await else { return };
        println!("{story:?}: {} points in watches", told * WATCH_FAULTS.len());
        let points = points(told, &WATCH_FAULTS).into_iter();
        compare(story, &end, points.map(|(at, fault)| Trouble::Watch(at, fault)).collect()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_made_whatever_call_goes_wrong() {
    every_point_of(Story::Create).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_changed_whatever_call_goes_wrong() {
    every_point_of(Story::Change).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_shrinks_whatever_call_goes_wrong() {
    every_point_of(Story::Shrink).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_moves_to_other_partitions_whatever_call_goes_wrong() {
    every_point_of(Story::Repartition).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_goes_whatever_call_goes_wrong() {
    every_point_of(Story::Delete).await;
}
