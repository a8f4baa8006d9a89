//! The story: three fleets talk on the same brokers and the same store, which are harmed one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::{try_join, try_join_all};
use reqwest::Method;
use serde::Deserialize;

use super::Ground;
use crate::cargo;
use crate::client::now_ms;
use crate::eventually::eventually;
use crate::fleet::{self, Clocks, Fleet, Terms};
use crate::site::{self, Member, Site};
use crate::test::stored;
use crate::traffic::{Crowd, Kept, Manner, Place, Tally};

/// How long everything may take to be well after a fault.
const WELL_WITHIN: Duration = Duration::from_secs(60);
/// Between a death and the next start.
const DEAD: Duration = Duration::from_secs(4);
/// Longer than brokers and chat nodes take to give up on a broker that hangs.
const BROKER_HANGS: Duration = Duration::from_secs(15);
const STORE_HANGS: Duration = Duration::from_secs(6);
/// How long a user may wait for a message whatever is broken, but for the store: what the broker does not bring is
/// found in the store.
const DELIVERED_WITHIN: Duration = Duration::from_secs(15);
/// Fewer deliveries than this prove nothing.
const DELIVERIES_AT_LEAST: usize = 3_000;

const MANNER: Manner = Manner { users: 9, in_group: 5, pause: Duration::from_millis(700) };

/// Chat nodes and their users.
struct Town {
    fleet: Fleet,
    crowd: Crowd,
}

struct Scene<'a> {
    ground: &'a Ground,
    site: &'a Site,
    towns: Vec<Town>,
}

pub async fn tell(ground: Arc<Ground>) -> Result<()> {
    let build = Site::build(&ground.paths, site::CHAT, site::MOST_BROKERS);
    let compile = cargo::compile(&ground.paths.tree, &["build", "--bin", "chat-node"], "chat-node");
    let (site, program) = try_join(build, compile).await?;
    let found = |(place, variant)| {
        let terms = Terms { place, variant, limits: Default::default(), clocks: Clocks::Machine };
        settle(&site, &program, terms)
    };
    let towns = try_join_all((0..).zip(fleet::VARIANTS).map(found)).await?;
    let mut scene = Scene { ground: &ground, site: &site, towns };
    let told = async {
        scene.brokers_die().await?;
        scene.queue_is_orphaned().await?;
        scene.brokers_hang().await?;
        scene.chat_nodes_end().await?;
        // Last: what was under way may hold up others for a while after the store is back.
        scene.store_suffers().await
    };
    let told = told.await;
    let judged = scene.judge().await;
    told.and(judged)
}

async fn settle(site: &Site, program: &std::path::Path, terms: Terms) -> Result<Town> {
    let variant = terms.variant;
    let fleet = Fleet::start(site, program, terms).await.with_context(|| format!("{variant:?}"))?;
    let way = Place { gateway: fleet.gateway.clone(), key: fleet.key.clone() };
    let crowd = Crowd::gather(&way, MANNER).await.with_context(|| format!("{variant:?}"))?;
    Ok(Town { fleet, crowd })
}

impl Scene<'_> {
    /// With a broker die server queues, to which messages go on to be routed. Their chat nodes delete them, and all is well
    /// without that broker.
    async fn brokers_die(&self) -> Result<()> {
        let mut stranded = 0;
        for number in self.site.brokers() {
            let broker = Member::Broker(number);
            let queues = self.server_queues().await?;
            let count = queues.iter().filter(|queue| queue.broker() == Some(number)).count();
            self.fault(&format!("{broker} is killed with {count} server queues"), self.site.kill(broker))
                .await?;
            self.fault(&format!("{broker} is started"), self.site.start(broker)).await?;
            stranded += count;
        }
        ensure!(stranded > 0, "no broker had a server queue");
        Ok(())
    }

    async fn brokers_hang(&self) -> Result<()> {
        for number in self.site.brokers() {
            let broker = Member::Broker(number);
            self.fault(&format!("{broker} hangs for {BROKER_HANGS:?}"), async {
                self.site.pause(broker)?;
                tokio::time::sleep(BROKER_HANGS).await;
                self.site.resume(broker)
            })
            .await?;
        }
        Ok(())
    }

    async fn store_suffers(&self) -> Result<()> {
        for member in [Member::Ferretdb, Member::Database] {
            self.fault_of_store(&format!("{member} is killed, and started after {DEAD:?}"), async {
                self.site.kill(member).await?;
                tokio::time::sleep(DEAD).await;
                self.site.start(member).await
            })
            .await?;
            self.fault_of_store(&format!("{member} hangs for {STORE_HANGS:?}"), async {
                self.site.pause(member)?;
                tokio::time::sleep(STORE_HANGS).await;
                self.site.resume(member)
            })
            .await?;
        }
        Ok(())
    }

    async fn chat_nodes_end(&self) -> Result<()> {
        let kills = self.towns.iter().map(|town| town.fleet.kill(0, DEAD));
        self.fault("a chat node of each cluster is killed", async { try_join_all(kills).await.map(drop) })
            .await?;
        for number in 0..fleet::SIZE {
            let replacements = self.towns.iter().map(|town| town.fleet.replace(number));
            let name = format!("chat node {number} of each cluster is replaced");
            self.fault(&name, async { try_join_all(replacements).await.map(drop) }).await?;
        }
        Ok(())
    }

    /// A chat node dies together with the broker that has its queue: nobody is left who knows of the queue but the
    /// operator, in whose place it is deleted here.
    async fn queue_is_orphaned(&self) -> Result<()> {
        let fleet = &self.towns[0].fleet;
        let prefix = format!("srv.{}.", fleet.name(0));
        let queues = self.server_queues().await?;
        let orphan = queues.into_iter().find(|queue| queue.name.starts_with(&prefix));
        let orphan = orphan.with_context(|| format!("there is no queue {prefix}…"))?;
        let number = orphan.broker().with_context(|| format!("{orphan:?} is nowhere"))?;
        let broker = Member::Broker(number);
        let other = self.site.brokers().find(|other| *other != number).context("there is one broker only")?;
        let name = format!("{broker} is killed with {}, whose queue is deleted by name", fleet.name(0));
        self.fault(&name, async {
            try_join(self.site.kill(broker), fleet.kill(0, DEAD)).await?;
            let path = format!("queues/{}/{}", orphan.vhost, orphan.name);
            self.site.manage(other, Method::DELETE, &path).await.map(drop)
        })
        .await?;
        self.fault(&format!("{broker} is started"), self.site.start(broker)).await
    }

    async fn server_queues(&self) -> Result<Vec<Queue>> {
        let queues = self.site.manage(1, Method::GET, "queues?columns=name,node,type,vhost").await?;
        let mut queues: Vec<Queue> = serde_json::from_value(queues)?;
        queues.retain(|queue| queue.name.starts_with("srv.") && queue.kind == "classic");
        Ok(queues)
    }

    async fn fault(&self, name: &str, harm: impl Future<Output = Result<()>>) -> Result<()> {
        let slowest = self.suffer(name, harm).await?;
        ensure!(
            slowest <= DELIVERED_WITHIN,
            "{name}: a message took {slowest:?}, though the store was well: {DELIVERED_WITHIN:?} at most"
        );
        Ok(())
    }

    async fn fault_of_store(&self, name: &str, harm: impl Future<Output = Result<()>>) -> Result<()> {
        self.suffer(name, harm).await.map(drop)
    }

    /// Does harm and waits until all nodes are well again; the longest way of a message in that time.
    async fn suffer(&self, name: &str, harm: impl Future<Output = Result<()>>) -> Result<Duration> {
        let (begin_ms, before) = (now_ms(), self.deliveries());
        harm.await.with_context(|| name.to_owned())?;
        let harmed = Instant::now();
        eventually(&format!("{name}: all are well again"), WELL_WITHIN, || async {
            try_join_all(self.towns.iter().map(|town| town.fleet.well())).await.map(drop)
        })
        .await?;
        let well = harmed.elapsed();
        let slowest = self.towns.iter().map(|town| town.crowd.slowest_since(begin_ms)).max();
        let (slowest, deliveries) = (slowest.unwrap_or_default(), self.deliveries() - before);
        self.ground.progress.say(format_args!(
            "{name}: well {:.1} s later; {deliveries} deliveries meanwhile, the slowest after {:.1} s",
            well.as_secs_f64(),
            slowest.as_secs_f64()
        ));
        self.towns.iter().try_for_each(|town| town.crowd.check().with_context(|| town.name(name)))?;
        ensure!(deliveries > 0, "{name}: nothing was delivered");
        Ok(slowest)
    }

    fn deliveries(&self) -> usize {
        self.towns.iter().map(|town| town.crowd.tally().deliveries).sum()
    }

    async fn judge(&mut self) -> Result<()> {
        let uri = self.site.mongodb_uri();
        let judged = try_join_all(self.towns.iter_mut().map(|town| town.judge(&uri))).await;
        let deliveries = self.deliveries();
        self.ground.progress.say(format_args!("{deliveries} deliveries in all"));
        judged?;
        ensure!(deliveries >= DELIVERIES_AT_LEAST, "{deliveries} deliveries only");
        Ok(())
    }
}

impl Town {
    fn name(&self, when: &str) -> String {
        format!("{}, {when}", self.fleet.variant.name)
    }

    /// Compares with what lies in the store.
    async fn judge(&mut self, uri: &str) -> Result<()> {
        let judged = self.compare(uri).await;
        judged.map(drop).with_context(|| self.name("at the end"))
    }

    async fn compare(&mut self, uri: &str) -> Result<Tally> {
        let talk = self.crowd.hush().await?;
        let mut kept = BTreeMap::new();
        for channel in talk.readers.keys() {
            let stored = stored::messages(uri, &self.fleet.database, channel).await?;
            let stored: Result<Vec<Kept>> = stored.into_iter().map(TryInto::try_into).collect();
            kept.insert(channel.clone(), stored?);
        }
        self.crowd.judge(&talk, &kept)
    }
}

/// A queue as the management API lists it.
#[derive(Debug, Deserialize)]
struct Queue {
    name: String,
    node: String,
    #[serde(rename = "type")]
    kind: String,
    vhost: String,
}

impl Queue {
    /// The number of the broker that has it.
    fn broker(&self) -> Option<u8> {
        (1..=site::MOST_BROKERS).find(|number| site::node_name(*number) == self.node)
    }
}
