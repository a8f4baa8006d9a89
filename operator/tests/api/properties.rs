//! Every property of the schema is changed: to what is valid, to its bounds, to what is not valid, and taken away. The
//! schema itself says how, so a new property is covered as soon as it is there.
//!
//! What is not valid is refused with the property's name. All else leads to a settled cluster whose state is explained,
//! and back again to the same objects. What does not is an alarm, and there must be none.
//!
//! With `VT_TEST_PROPERTIES=all` every change is made, which takes minutes; without it every refusal is tried, and one
//! change of each property.

mod bases;
mod mutation;
mod values;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Instant;

use futures::future::join_all;
use kube::api::Api;
use operator::cluster::RawCluster;
use operator::resources::{APPLIED_ANNOTATION, Kind};
use serde_json::{Value, json};

use self::mutation::{Mutation, Sort};
use crate::faults::Faults;
use crate::namespace::Namespace;
use crate::newborn::Operator;

/// Namespaces that share the work.
const AT_ONCE: usize = 4;
/// Visits until nothing is written any more.
const MOST_VISITS: usize = 30;
/// Visits in a row that fail for the same reason, until that counts as the state.
const FAILURES: usize = 3;
/// Parts that are Kubernetes' own types, which are passed on as they are: what they mean is judged by the API server
/// when the object is written, and the condition tells its words.
const PASSED_ON: [&str; 8] = [
    "spec.autoscaling.behavior",
    "spec.autoscaling.metrics",
    "spec.imagePullSecrets",
    "spec.networkPolicy.clients",
    "spec.networkPolicy.scrapers",
    "spec.networkPolicy.services",
    "spec.pod.resources",
    "spec.pod.tolerations",
];

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The schema refused it, by the property's name.
    Refused,
    /// A rule refused it, in its words.
    Ruled,
    /// All is as the changed spec says, and went back.
    Settled,
    /// The API server did not take an object, which a condition tells; and it went back.
    Explained,
}

struct Bench {
    namespace: Namespace,
    operator: Operator,
    schema: Value,
    rules: Vec<String>,
    /// Spec and objects of each unchanged cluster.
    bases: Vec<(&'static str, Value, BTreeMap<Kind, Value>)>,
}

impl Bench {
    async fn new(schema: Value) -> Option<Self> {
        let namespace = Namespace::with_secrets().await?;
        namespace.make_broker_secret("rabbit-default-user").await;
        let operator = namespace.newborn(Faults::none(), Faults::none()).await;
        operator.learn_kinds(&namespace.name).await;
        namespace.broker.state.page.store(500, Ordering::SeqCst);
        let rules = crds::yaml::rule_messages();
        let mut bench = Self { namespace, operator, schema, rules, bases: Vec::new() };
        for (name, spec) in bases::all() {
            bench.namespace.try_make(name, spec.clone()).await.unwrap();
            assert_eq!(bench.settle(name).await, Ok(None), "{name}");
            let objects = bench.objects(name).await;
            bench.bases.push((name, spec, objects));
        }
        Some(bench)
    }

    fn api(&self) -> Api<RawCluster> {
        self.namespace.api()
    }

    /// Visits until nothing is written; what the API server would not take, if there was something.
    async fn settle(&self, name: &str) -> Result<Option<String>, String> {
        let mut failures = 0;
        for _ in 0..MOST_VISITS {
            let raw = self.api().get(name).await.unwrap();
            match self.operator.visit(raw).await {
                Ok(0) => {
                    let place = (self.namespace.name.as_str(), name);
                    match self.namespace.run_controllers(name).await {
                        Some(version) => self.operator.sees(place, Kind::Deployment, &version).await,
                        None => return Ok(None),
                    }
                }
                Ok(_) => failures = 0,
                Err(error) => {
                    failures += 1;
                    if failures == FAILURES {
                        return Ok(Some(error.to_string()));
                    }
                }
            }
        }
        Err(format!("still written after {MOST_VISITS} visits"))
    }

    /// One change and back.
    async fn try_out(&self, mutation: &Mutation) -> Result<End, String> {
        let (name, base, objects) =
            self.bases.iter().rev().max_by_key(|(_, spec, _)| mutation.path.depth_in(spec)).unwrap();
        let changed = mutation.apply(&self.schema, base);
        if mutation.sort == Sort::Invalid {
            return self.is_refused(name, changed, mutation).await;
        }
        if let Err(error) = self.namespace.try_replace(name, changed, false).await {
            return self.judge(&error.to_string(), mutation);
        }
        let end = self.follow(name, mutation).await;
        let back = self.namespace.try_replace(name, base.clone(), false).await;
        back.map_err(|error| format!("the way back is refused: {error}"))?;
        match self.settle(name).await? {
            None => {}
            Some(failure) => return Err(format!("the way back fails: {failure}")),
        }
        let back = self.objects(name).await;
        let other = objects.iter().find(|(kind, object)| back.get(kind) != Some(object));
        let other =
            other.map(|(kind, _)| kind).or_else(|| back.keys().find(|kind| !objects.contains_key(kind)));
        match other {
            Some(kind) => Err(format!("{kind} is another one afterwards: {:?}", back.get(kind))),
            None => end,
        }
    }

    async fn is_refused(&self, name: &str, changed: Value, mutation: &Mutation) -> Result<End, String> {
        match self.namespace.try_replace(name, changed, true).await {
            Ok(_) => Err("it is not refused".to_owned()),
            Err(error) if error.to_string().contains(&mutation.path.to_string()) => Ok(End::Refused),
            Err(error) => Err(format!("the refusal does not name it: {error}")),
        }
    }

    /// What should be taken may be refused by a rule about several properties, and what is needed may not go.
    fn judge(&self, refusal: &str, mutation: &Mutation) -> Result<End, String> {
        if self.rules.iter().any(|rule| refusal.contains(rule)) {
            return Ok(End::Ruled);
        }
        let is_needed = mutation.sort == Sort::Removed && refusal.contains(&mutation.path.to_string());
        if is_needed { Ok(End::Refused) } else { Err(format!("it is refused: {refusal}")) }
    }

    async fn follow(&self, name: &str, mutation: &Mutation) -> Result<End, String> {
        let failure = self.settle(name).await?;
        let raw = self.api().get(name).await.unwrap();
        if raw.status["observedGeneration"] != json!(raw.metadata.generation) {
            return Err("the status is about an earlier spec".to_owned());
        }
        let conditions = raw.status["conditions"].as_array().unwrap();
        let unexplained = |one: &&Value| one["reason"] == "" || one["message"] == "";
        if let Some(one) = conditions.iter().find(unexplained) {
            return Err(format!("{} is not explained", one["type"]));
        }
        let refused =
            conditions.iter().find(|one| one["reason"] == "WriteFailed" || one["reason"] == "InvalidSpec");
        let path = mutation.path.to_string();
        let is_passed_on = PASSED_ON.iter().any(|part| path.starts_with(part));
        match (refused, failure) {
            (None, None) => Ok(End::Settled),
            (Some(_), _) if is_passed_on => Ok(End::Explained),
            (Some(one), _) => Err(format!("it is taken and then refused: {}", one["message"])),
            (None, Some(failure)) => Err(format!("no condition tells: {failure}")),
        }
    }

    /// All that the cluster is, without what the API server adds to each object and what counts changes.
    async fn objects(&self, name: &str) -> BTreeMap<Kind, Value> {
        let mut objects = BTreeMap::new();
        for kind in Kind::ALL {
            if !self.namespace.server.has_optional_kinds && kind.is_optional() {
                continue;
            }
            if let Some(object) = self.namespace.child(kind, name).await {
                objects.insert(kind, essence(serde_json::to_value(object).unwrap()));
            }
        }
        objects
    }
}

fn essence(mut object: Value) -> Value {
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].as_object_mut().unwrap();
    for counted in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
        metadata.remove(counted);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        for counted in [APPLIED_ANNOTATION, "vibetalk.dev/topology", "vibetalk.dev/highest-epoch"] {
            annotations.remove(counted);
        }
    }
    if let Some(text) = object["data"]["config.yaml"].as_str() {
        let is_counted = |line: &&str| line.contains("epoch:") || line.contains("publish:");
        let lines: Vec<_> = text.lines().filter(|line| !is_counted(line)).collect();
        object["data"]["config.yaml"] = lines.join("\n").into();
    }
    object
}

/// Every refusal, and of what is taken all or one of each property, another sort from one to the next.
fn chosen(schema: &Value) -> Vec<Mutation> {
    let all = std::env::var("VT_TEST_PROPERTIES").is_ok_and(|which| which == "all");
    let mut chosen = Vec::new();
    for (number, mutations) in mutation::all(schema).into_iter().enumerate() {
        let (refused, mut taken): (Vec<_>, Vec<_>) =
            mutations.into_iter().partition(|mutation| mutation.sort == Sort::Invalid);
        chosen.extend(refused);
        if all {
            chosen.extend(taken);
        } else if !taken.is_empty() {
            chosen.push(taken.swap_remove(number % taken.len()));
        }
    }
    chosen
}

fn schema() -> Value {
    let version = crds::yaml::definition().spec.versions.remove(0);
    let schema = serde_json::to_value(version.schema.unwrap().open_api_v3_schema.unwrap()).unwrap();
    schema["properties"]["spec"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_property_can_be_changed_and_changed_back() {
    let (schema, started) = (schema(), Instant::now());
    let chosen = chosen(&schema);
    let shares = (0..AT_ONCE).map(|share| {
        let mutations: Vec<_> = chosen.iter().skip(share).step_by(AT_ONCE).collect();
        let schema = schema.clone();
        async move {
            let bench = Bench::new(schema).await?;
            let mut ends = Vec::new();
            for mutation in mutations {
                ends.push((mutation, bench.try_out(mutation).await));
            }
            Some(ends)
        }
    });
    let shares: Option<Vec<_>> = join_all(shares).await.into_iter().collect();
    let Some(shares) = shares else { return };
    let (mut counts, mut alarms) = (BTreeMap::new(), Vec::new());
    for (mutation, end) in shares.into_iter().flatten() {
        match end {
            Ok(end) => *counts.entry(format!("{:?} → {end:?}", mutation.sort)).or_insert(0) += 1,
            Err(alarm) => alarms.push(format!("{mutation}: {alarm}")),
        }
    }
    println!("{} changes in {:.1?}: {counts:?}", chosen.len(), started.elapsed());
    assert!(alarms.is_empty(), "{} alarms:\n{}", alarms.len(), alarms.join("\n"));
}
