//! `cargo e2e test`: all tests, or some.

mod audit;
mod broker;
mod case;
mod chart;
mod children;
mod cluster;
mod definitions;
mod faults;
mod fewest;
mod instructions;
mod k6;
mod libtest;
mod neighbours;
mod operators;
mod page;
mod scene;
mod selection;
mod stand;
mod stored;
mod unit;
mod world;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use crds::VibeTalkCluster;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use crate::binaries;
use crate::monitoring;
use crate::packages;
use crate::paths::Paths;
use crate::product::{SYSTEM, diagnosis};
use crate::progress::Progress;
use crate::site;
use crate::tool::{Module, Tool};

use case::{Case, Tally};
use chart::Chart;
use faults::Ground;
use k6::Scripts;
use neighbours::Neighbours;
use selection::Selection;
use stand::Stand;
use unit::Surroundings;
use world::World;

/// A group of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The crates' own tests.
    Unit,
    /// What a message costs.
    Instructions,
    /// The scripts for k6.
    K6,
    /// The chart.
    Chart,
    /// VibeTalk on the cluster.
    Cluster,
    /// The web page.
    Browser,
    /// The machine after all of it.
    Machine,
    /// Chat nodes while what they need is harmed, without Kubernetes.
    Faults,
}

impl Stage {
    /// The name that selects it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Instructions => "instructions",
            Self::K6 => "k6",
            Self::Chart => "chart",
            Self::Cluster => "cluster",
            Self::Browser => "browser",
            Self::Machine => "machine",
            Self::Faults => "faults",
        }
    }
}

/// A run of the tests.
struct Session<'a> {
    paths: &'a Paths,
    progress: &'a Progress,
    selection: Selection,
    tally: Tally,
}

/// Runs the tests that `filter` names: a stage, or words of a test's name; all if absent. The last line it prints is
/// `N passed, N failed`.
pub async fn run(paths: &Paths, progress: &Progress, filter: Option<String>) -> ExitCode {
    let selection = Selection::new(filter);
    let mut session = Session { paths, progress, selection, tally: Tally::default() };
    session.stages().await;
    session.faults().await;
    let Tally { passed, failed, failures } = &session.tally;
    if !failures.is_empty() {
        println!("\nfailed:");
    }
    for name in failures {
        println!("  {name}");
    }
    println!("{passed} passed, {failed} failed");
    // A filter that no test has is more likely a slip than a wish.
    if *failed > 0 || *passed == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

impl Session<'_> {
    async fn stages(&mut self) {
        let stand = self.stand().await;
        if let Err(error) = self.unit(stand.as_ref()).await {
            self.fail("the crates' own tests run", &error);
        }
        if let Err(error) = self.instructions().await {
            self.fail("what a message costs can be counted", &error);
        }
        if let Err(error) = self.k6().await {
            self.fail("the scripts for k6 run", &error);
        }
        if let Err(error) = self.chart().await {
            self.fail("the chart's tests run", &error);
        }
        let Some(stand) = stand else { return };
        match World::open(stand.local.clone(), stand.target.clone()).await {
            Ok(world) => {
                self.on_cluster(&world).await;
                self.browser(&world).await;
            }
            Err(error) => self.fail("the example can be talked to", &error),
        }
        if let Some(outcome) = stand.leave(self.paths, self.progress).await {
            self.report(Stage::Machine, "taking the cluster down leaves the machine as it was", outcome);
        }
    }

    /// The cluster, if some of the wanted tests need it and it can be had.
    async fn stand(&mut self) -> Option<Stand> {
        let on_cluster = self.selection.takes_any(Stage::Cluster, names(cluster::CASES))
            || self.selection.takes_any(Stage::Browser, names(page::CASES));
        if !on_cluster {
            return None;
        }
        if !stand::possible() {
            println!("left out: cluster and browser tests, as they need root; run `cargo e2e test` as root");
            return None;
        }
        match Stand::take(self.paths, self.progress).await {
            Ok(stand) => Some(stand),
            Err(error) => {
                self.fail("the cluster comes up", &error);
                None
            }
        }
    }

    async fn unit(&mut self, stand: Option<&Stand>) -> Result<()> {
        let in_tables = self.selection.takes(Stage::Instructions, instructions::NAME)
            || self.selection.takes_any(Stage::K6, names(k6::CASES))
            || self.selection.takes_any(Stage::Chart, names(chart::CASES))
            || self.selection.takes_any(Stage::Cluster, names(cluster::CASES))
            || self.selection.takes_any(Stage::Browser, names(page::CASES))
            || self.selection.takes_any(Stage::Faults, faults::TRIALS.iter().map(|trial| trial.name));
        if in_tables && !self.selection.is_everything() {
            return Ok(());
        }
        let wanted = [Tool::Etcd, Tool::KubeApiserver, Tool::Helm];
        let api_server = match binaries::ensure(self.paths, self.progress, &wanted).await {
            Ok(binaries) => Some(binaries.directory(Module::Cluster).to_path_buf()),
            Err(error) => {
                println!(
                    "left out: tests of the operator against an API server, which cannot be built: {error:#}"
                );
                None
            }
        };
        let definitions = definitions::files().await;
        let definitions = definitions
            .inspect_err(|error| println!("left out: tests of kinds that are optional: {error:#}"))
            .ok();
        let neighbours = Neighbours::find((self.paths, self.progress), stand, &self.selection).await?;
        let surroundings = Surroundings { api_server, definitions, backends: neighbours.backends()? };
        let tally = unit::run(&self.paths.tree, self.selection.words(), &surroundings).await;
        neighbours.leave().await?;
        self.tally.add(tally?);
        Ok(())
    }

    async fn instructions(&mut self) -> Result<()> {
        if !self.selection.takes(Stage::Instructions, instructions::NAME) {
            return Ok(());
        }
        if let Some(hindrance) = instructions::hindrance() {
            println!("left out: what a message costs: {hindrance}");
            return Ok(());
        }
        let program = instructions::prepare(self.paths, self.progress).await?;
        let begin = Instant::now();
        let outcome = instructions::compare(self.paths, &program).await;
        self.report(Stage::Instructions, instructions::NAME, (outcome, begin.elapsed()));
        Ok(())
    }

    async fn k6(&mut self) -> Result<()> {
        if !self.selection.takes_any(Stage::K6, names(k6::CASES)) {
            return Ok(());
        }
        let scripts = Arc::new(Scripts::prepare(self.paths, self.progress).await?);
        self.cases(Stage::K6, k6::CASES, &scripts).await;
        Ok(())
    }

    async fn chart(&mut self) -> Result<()> {
        if !self.selection.takes_any(Stage::Chart, names(chart::CASES)) {
            return Ok(());
        }
        let binaries = binaries::ensure(self.paths, self.progress, &[Tool::Helm]).await;
        let helm = binaries.context("helm cannot be built")?.path(Tool::Helm);
        let chart = Arc::new(Chart { paths: self.paths.clone(), helm });
        self.cases(Stage::Chart, chart::CASES, &chart).await;
        Ok(())
    }

    /// On services of their own, after all others: nothing else shall be harmed, or slow them down.
    async fn faults(&mut self) {
        let selection = self.selection.clone();
        let wanted: Vec<_> =
            faults::TRIALS.iter().filter(|trial| selection.takes(Stage::Faults, trial.name)).collect();
        if wanted.is_empty() {
            return;
        }
        if let Some(hindrance) = site::hindrance() {
            println!("left out: faults of brokers, store and chat nodes: {hindrance}");
            return;
        }
        match Ground::take(self.paths, self.progress).await {
            Ok(ground) => {
                let ground = Arc::new(ground);
                let outcomes = ground.run(&wanted).await;
                for (trial, outcome) in wanted.iter().zip(outcomes) {
                    self.report(Stage::Faults, trial.name, outcome);
                }
            }
            Err(error) => self.fail("brokers and stores can be built", &error),
        }
    }

    async fn on_cluster(&mut self, world: &Arc<World>) {
        // Compiling belongs to no test, and slows down all of them.
        if self.selection.takes(Stage::Cluster, cluster::BY_CONNECTIONS)
            && let Err(error) = monitoring::prepare(self.paths, self.progress).await
        {
            self.fail("Prometheus and its adapter can be built", &error);
        }
        self.cases_on_cluster(Stage::Cluster, cluster::CASES, world).await;
    }

    async fn browser(&mut self, world: &Arc<World>) {
        if !self.selection.takes_any(Stage::Browser, names(page::CASES)) {
            return;
        }
        match packages::ensure(self.paths, self.progress, &packages::BROWSER).await {
            Ok(()) => self.cases_on_cluster(Stage::Browser, page::CASES, world).await,
            Err(error) => self.fail("the browser is installed", &error),
        }
    }

    async fn cases<W: Send + Sync + 'static>(&mut self, stage: Stage, cases: &[Case<W>], world: &Arc<W>) {
        let selection = self.selection.clone();
        for case in cases.iter().filter(|case| selection.takes(stage, case.name)) {
            let outcome = case.execute(world.clone()).await;
            self.report(stage, case.name, outcome);
        }
    }

    async fn cases_on_cluster(&mut self, stage: Stage, cases: &[Case<World>], world: &Arc<World>) {
        let selection = self.selection.clone();
        for case in cases.iter().filter(|case| selection.takes(stage, case.name)) {
            println!("test {}: {} …", stage.name(), case.name);
            let outcome = case.execute(world.clone()).await;
            let failed = outcome.0.is_err();
            self.report(stage, case.name, outcome);
            if failed {
                explain(world).await;
            }
        }
    }

    fn report(&mut self, stage: Stage, name: &str, (outcome, took): (Result<()>, Duration)) {
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("test {}: {name} ... {word} ({:.1} s)", stage.name(), took.as_secs_f64());
        if let Err(error) = &outcome {
            println!("  {}", format!("{error:#}").replace('\n', "\n  "));
        }
        self.tally.count(name, outcome.is_ok());
    }

    fn fail(&mut self, name: &str, error: &anyhow::Error) {
        println!("FAILED: {name}\n  {}", format!("{error:#}").replace('\n', "\n  "));
        self.tally.count(name, false);
    }
}

/// Prints what one would look at next.
async fn explain(world: &World) {
    let clusters: Api<VibeTalkCluster> = Api::all(world.client.clone());
    let found = clusters.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
    let namespaces: BTreeSet<String> = found.iter().filter_map(ResourceExt::namespace).collect();
    for namespace in namespaces {
        println!("{}", diagnosis::of_namespace(&world.client, &namespace).await);
    }
    println!("the operator's log:\n{}", diagnosis::logs(&world.client, SYSTEM).await);
}

fn names<W>(cases: &'static [Case<W>]) -> impl Iterator<Item = &'static str> {
    cases.iter().map(|case| case.name)
}
