//! The vocabulary of the tests: a cluster, and a world in which plans come true.

use crds::{NodeReport, TopologyOrder};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::args::Defaults;
use crate::cluster::{Cluster, RawCluster};
use crate::decide::decide;
use crate::observe::{BrokerHealth, BrokerState, Observed, PodState, SecretState, Secrets, Seen};
use crate::plan::{BrokerAction, Finalizer, NodeOrder, Plan};
use crate::rabbitmq::{BrokerError, Exchange, Node};
use crate::resources::{Kind, order_of};

pub(crate) fn defaults() -> Defaults {
    Defaults { chat_node_image: "chat-node:1".to_owned(), pod_namespace: Some("vibetalk-system".to_owned()) }
}

/// The resource `demo` in namespace `chat`, as a user would write it.
pub(crate) fn raw_cluster() -> RawCluster {
    RawCluster {
        metadata: ObjectMeta {
            name: Some("demo".to_owned()),
            namespace: Some("chat".to_owned()),
            uid: Some("uid-1".to_owned()),
            generation: Some(1),
            ..ObjectMeta::default()
        },
        spec: json!({
            "replicas": 2,
            "rabbitmq": { "secretRef": { "name": "mq" } },
            "mongodb": { "secretRef": { "name": "db" } },
            "auth": { "secretRef": { "name": "auth" } },
            "exposure": { "ingress": { "className": "nginx" } },
        }),
        status: Value::Null,
    }
}

/// The same with a changed spec, parsed.
pub(crate) fn cluster(change: impl FnOnce(&mut Value)) -> Cluster {
    let mut raw = raw_cluster();
    change(&mut raw.spec);
    Cluster::parse(&raw, &defaults()).expect("the fixture has a name")
}

/// A cluster and everything around it. [`World::step`] makes a plan come true, as a Kubernetes without delays would.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) observed: Observed,
    pub(crate) now: Timestamp,
    pods_made: u32,
}

impl World {
    /// Nothing exists but the Secrets and an empty broker.
    pub(crate) fn new(cluster: Cluster) -> Self {
        let secrets = Secrets {
            rabbitmq: SecretState::Usable,
            mongodb: SecretState::Usable,
            auth: SecretState::Usable,
            digest: Some("c0ffee".to_owned()),
            ports: Some([5_672, 27_017].into()),
        };
        let mut observed = Observed {
            secrets,
            broker: BrokerState::Exchanges(Vec::new()),
            broker_health: healthy(),
            ..Observed::default()
        };
        observed.children.0 = Kind::ALL.map(|kind| (kind, Seen::Known(None))).into();
        Self { cluster, observed, now: Timestamp::UNIX_EPOCH, pods_made: 0 }
    }

    /// The same after all plans have come true.
    pub(crate) fn converged(cluster: Cluster) -> Self {
        let mut world = Self::new(cluster);
        for _ in 0..3 {
            world.step();
        }
        world
    }

    pub(crate) fn plan(&self) -> Plan {
        decide(&self.cluster, &self.observed, self.now)
    }

    /// Decides, and lets the plan come true at once.
    pub(crate) fn step(&mut self) -> Plan {
        let plan = self.plan();
        match plan.finalizer {
            Finalizer::Leave => {}
            Finalizer::Add => self.cluster.held = true,
            Finalizer::Remove | Finalizer::LetGo => self.cluster.held = false,
        }
        plan.broker.iter().for_each(|action| self.change_broker(action));
        for mark in &plan.marks {
            self.pod(&mark.pod).cost = mark.cost;
        }
        for object in &plan.apply {
            self.observed.children.0.insert(object.kind, Seen::Known(Some(object.body.clone())));
        }
        for prune in &plan.prune {
            self.observed.children.0.insert(prune.kind, Seen::Known(None));
        }
        for NodeOrder { pod, order, .. } in &plan.orders {
            self.pod(pod).report = obeyed(self.pod(pod).report.clone(), order);
        }
        if !plan.retire.is_empty() {
            self.exchanges().retain(|exchange| !plan.retire.contains(&exchange.name));
        }
        self.cluster.status = plan.status.clone();
        self.run_controllers();
        plan
    }

    pub(crate) fn live(&mut self, kind: Kind) -> &mut Value {
        match self.observed.children.0.get_mut(&kind) {
            Some(Seen::Known(Some(live))) => live,
            other => panic!("no {kind}: {other:?}"),
        }
    }

    pub(crate) fn exchanges(&mut self) -> &mut Vec<Exchange> {
        match &mut self.observed.broker {
            BrokerState::Exchanges(exchanges) => exchanges,
            other => panic!("no exchanges: {other:?}"),
        }
    }

    pub(crate) fn pods(&mut self) -> &mut Vec<PodState> {
        match &mut self.observed.pods {
            Seen::Known(pods) => pods,
            Seen::Unknown(why) => panic!("no pods: {why}"),
        }
    }

    pub(crate) fn pod(&mut self, name: &str) -> &mut PodState {
        self.pods().iter_mut().find(|pod| pod.name == name).expect("the pod is there")
    }

    pub(crate) fn delete_cluster(&mut self) {
        self.cluster.deleted_at = Some(self.now);
    }

    /// Status, reason and message of a condition in a plan.
    pub(crate) fn condition(plan: &Plan, type_: &str) -> (String, String, String) {
        let conditions = &plan.status.conditions;
        let found = conditions.iter().find(|condition| condition.type_ == type_).expect("all are set");
        (found.status.clone(), found.reason.clone(), found.message.clone())
    }

    fn change_broker(&mut self, action: &BrokerAction) {
        let exchanges = self.exchanges();
        match action {
            BrokerAction::Declare(exchange) => exchanges.push(exchange.clone()),
            BrokerAction::Delete(name) => exchanges.retain(|exchange| exchange.name != *name),
            BrokerAction::Reap(_) => {}
        }
    }

    /// What the Deployment's, the ReplicaSet's and the ingress controller do.
    fn run_controllers(&mut self) {
        let Some(deployment) = self.observed.children.get(Kind::Deployment) else { return };
        let replicas = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
        let wanted = usize::try_from(replicas).unwrap_or(0);
        let mut pods = std::mem::take(self.pods());
        pods.retain(|pod| pod.ends_by.is_none());
        pods.sort_by_key(|pod| (std::cmp::Reverse(pod.cost.unwrap_or(0)), pod.name.clone()));
        pods.truncate(wanted);
        while pods.len() < wanted {
            self.pods_made += 1;
            let mut pod = pod(&format!("pod-{:03}", self.pods_made), 0);
            if let Some(order) = self.observed.children.get(Kind::ConfigMap).and_then(order_of) {
                pod.report = obeyed(pod.report, &order);
            }
            pods.push(pod);
        }
        pods.sort_by(|a, b| a.name.cmp(&b.name));
        *self.pods() = pods;
        self.live(Kind::Deployment)["status"] =
            json!({ "replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas });
        if self.observed.children.get(Kind::Ingress).is_some() {
            self.live(Kind::Ingress)["status"] =
                json!({ "loadBalancer": { "ingress": [{ "ip": "10.0.0.9" }] } });
        }
        if self.observed.children.get(Kind::HttpRoute).is_some() {
            let said = ["Accepted", "ResolvedRefs"].map(|type_| json!({ "type": type_, "status": "True" }));
            self.live(Kind::HttpRoute)["status"] =
                json!({ "parents": [{ "parentRef": { "name": "public" }, "conditions": said }] });
        }
    }
}

/// A broker of two nodes.
fn healthy() -> BrokerHealth {
    let node =
        |name: &str| Node { name: name.to_owned(), running: true, mem_alarm: false, disk_free_alarm: false };
    BrokerHealth { nodes: Some(vec![node("rabbit@one"), node("rabbit@two")]), ..BrokerHealth::default() }
}

/// A node that did at once as it was told.
fn obeyed(report: Seen<NodeReport>, order: &TopologyOrder) -> Seen<NodeReport> {
    match report {
        Seen::Known(mut report) => {
            report.epochs = order.listen.iter().map(|plan| plan.epoch).collect();
            report.publishing = Some(order.publish);
            Seen::Known(report)
        }
        unknown => unknown,
    }
}

/// A ready pod with so many users.
pub(crate) fn pod(name: &str, connections: u32) -> PodState {
    let report = json!({
        "version": "1", "node": name, "serverId": 1, "state": "ready", "connections": connections,
        "epochs": [1], "publishing": 1, "store": { "state": "reachable" }, "broker": { "state": "reachable" }, "clockSkewMs": 0,
    });
    let report = serde_json::from_value(report).expect("the fixture is a report");
    PodState {
        name: name.to_owned(),
        address: Some([10, 0, 0, 1].into()),
        runs: true,
        ready: true,
        ends_by: None,
        cost: None,
        report: Seen::Known(report),
    }
}

pub(crate) fn broker_down() -> BrokerState {
    BrokerState::Failed(BrokerError::Unreachable {
        base: "http://mq:15672/".to_owned(),
        problem: "no answer in time".to_owned(),
    })
}
