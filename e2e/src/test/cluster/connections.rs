//! The autoscaler by connections, through Prometheus and prometheus-adapter: it takes over from whoever set the number
//! of chat nodes, follows the clients up and down, and hands back, and no chat node is lost on the way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use crds::condition::ConditionType;
use crds::node::CONNECTIONS_METRIC;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::Api;
use serde_json::{Value, json};

use crate::client::{Chat, User};
use crate::eventually::eventually;
use crate::monitoring;
use crate::test::fewest::Fewest;
use crate::test::scene::Scene;
use crate::test::world::World;
use crate::traffic::Place;

const NAME: &str = "visited";
const HOST: &str = "visited.vibetalk.test";
/// Wanted connections of one chat node.
const TARGET: usize = 4;
/// For metrics to be gathered, the autoscaler to look, and chat nodes to come or go one after the other.
const PATIENCE: Duration = Duration::from_secs(150);

pub async fn followed(world: Arc<World>) -> Result<()> {
    let scene = Scene::open(&world, "vibetalk-test-visits").await?;
    // A run that was cut short may have left it.
    monitoring::remove(&world.local).await?;
    let outcome = Visits { world: &world, scene: &scene }.take_place().await;
    let removed = monitoring::remove(&world.local).await;
    outcome?;
    removed?;
    scene.close().await
}

struct Visits<'a> {
    world: &'a World,
    scene: &'a Scene,
}

impl Visits<'_> {
    async fn take_place(&self) -> Result<()> {
        let exposure = json!({ "ingress": { "className": "nginx", "host": HOST } });
        self.scene.apply(NAME, json!({ "replicas": 2, "exposure": exposure })).await?;
        self.serve(2).await?;
        let place = self.scene.place(HOST).await?;
        let mut clients = come(&place, 0..2 * TARGET).await?;

        let pods = Fewest::watch(self.world, &self.scene.namespace, NAME);
        self.hand_over().await.context("from two chat nodes set by hand to the autoscaler")?;
        ensure!(pods.ready() == Some(2), "two were right for both, yet {:?} were ready", pods.ready());

        clients.extend(come(&place, 2 * TARGET..4 * TARGET).await?);
        self.serve(4).await.context("while clients come")?;
        self.measured(TARGET).await?;

        let pods = Fewest::watch(self.world, &self.scene.namespace, NAME);
        self.hand_back().await.context("from the autoscaler to a number set by hand")?;
        self.scene.change(NAME, autoscaling()).await?;
        self.measured(TARGET).await.context("back to the autoscaler")?;
        ensure!(pods.ready() == Some(4), "four were right throughout, yet {:?} were ready", pods.ready());

        let staying = clients.drain(..TARGET).collect::<Vec<_>>();
        drop(clients);
        self.serve(1).await.context("when clients leave")?;
        self.measured(TARGET).await?;
        staying.iter().try_for_each(Chat::check)
    }

    /// From a number set by hand to the autoscaler, which can see nothing at first.
    async fn hand_over(&self) -> Result<()> {
        self.scene.change(NAME, autoscaling()).await?;
        self.explained("there is no such metric yet", |condition| {
            condition.status == "False" && condition.message.contains(CONNECTIONS_METRIC)
        })
        .await?;
        monitoring::ensure(&self.world.local).await?;
        self.measured(TARGET).await?;
        self.explained("the autoscaler sees the connections", |condition| condition.status == "True").await
    }

    async fn hand_back(&self) -> Result<()> {
        self.scene.change(NAME, json!({ "autoscaling": null })).await?;
        self.explained("the autoscaler is not wanted", |condition| condition.reason == "NotRequested")
            .await?;
        eventually("the autoscaler is gone", PATIENCE, || async {
            ensure!(self.autoscalers().get_opt(NAME).await?.is_none(), "it is there");
            Ok(())
        })
        .await
    }

    /// Waits until so many chat nodes are wanted and serve, and no other is left.
    async fn serve(&self, number: usize) -> Result<()> {
        let begin = Instant::now();
        eventually(&format!("{number} chat nodes serve"), PATIENCE, || async {
            let cluster = self.scene.clusters().get(NAME).await?;
            let wanted = cluster.spec.replicas.unwrap_or(0);
            let ready = cluster.status.map_or(0, |status| status.ready_replicas);
            let pods = self.world.pods(&self.scene.namespace, NAME).await?.len();
            let all = [usize::try_from(wanted)?, usize::try_from(ready)?, pods];
            if all != [number; 3] {
                let measured = self.autoscalers().get_opt(NAME).await?.as_ref().and_then(average);
                bail!("{wanted} wanted, {ready} ready of {pods}; {measured:?} connections each");
            }
            Ok(())
        })
        .await?;
        println!("    {number} chat nodes serve after {:.1} s", begin.elapsed().as_secs_f64());
        Ok(())
    }

    /// Waits until the autoscaler has counted so many connections of a chat node.
    async fn measured(&self, connections: usize) -> Result<()> {
        let what = format!("the autoscaler counts {connections} connections of a chat node");
        eventually(&what, PATIENCE, || async {
            let autoscaler = self.autoscalers().get(NAME).await?;
            let average = average(&autoscaler).context("none was counted yet")?;
            ensure!(average == connections.to_string(), "it counted {average}");
            Ok(())
        })
        .await
    }

    /// Waits until the condition `AutoscalingActive` is so for the spec as it is now.
    async fn explained(&self, what: &str, is_so: impl Fn(&Condition) -> bool) -> Result<()> {
        let kind = ConditionType::AutoscalingActive.to_string();
        eventually(&format!("{kind} says that {what}"), PATIENCE, || async {
            let cluster = self.scene.clusters().get(NAME).await?;
            let status = cluster.status.context("no status yet")?;
            let condition = status.conditions.iter().find(|condition| condition.type_ == kind);
            let condition = condition.with_context(|| format!("no condition {kind} yet"))?;
            let is_new = status.observed_generation == cluster.metadata.generation;
            ensure!(is_new && is_so(condition), "{condition:?}");
            Ok(())
        })
        .await
    }

    fn autoscalers(&self) -> Api<HorizontalPodAutoscaler> {
        Api::namespaced(self.world.client.clone(), &self.scene.namespace)
    }
}

/// Follows at once, within the bounds that no number here meets.
fn autoscaling() -> Value {
    json!({
        "autoscaling": {
            "minReplicas": 1,
            "maxReplicas": 5,
            "targetConnections": TARGET,
            "behavior": { "scaleDown": { "stabilizationWindowSeconds": 0 } },
        },
    })
}

/// Signs in users of these numbers, who then say nothing.
async fn come(place: &Place, numbers: std::ops::Range<usize>) -> Result<Vec<Chat>> {
    let mut clients = Vec::new();
    for number in numbers {
        let name = format!("visitor-{number}");
        clients.push(Chat::sign_in(&place.gateway, &place.key, &User::new(&name, &name)).await?);
    }
    Ok(clients)
}

/// The connections of a chat node that the autoscaler has counted, on average.
fn average(autoscaler: &HorizontalPodAutoscaler) -> Option<String> {
    let metrics = autoscaler.status.as_ref()?.current_metrics.as_ref()?;
    let pods = metrics.iter().find_map(|metric| metric.pods.as_ref())?;
    pods.current.average_value.as_ref().map(|quantity| quantity.0.clone())
}
