//! Images that hold one static program and nothing else.

use anyhow::Result;

use super::digest::Ingredients;
use super::layer::LayerWriter;
use super::oci::Start;
use super::workshop::{Job, Workshop, blocking};
use crate::archive::{Archive, Placement};
use crate::process::Run;
use crate::tool::Tool;

const VERSION: u32 = 1;
const PAUSE: &str = include_str!("../../images/pause/pause.c");
/// `nobody` and `nogroup`.
const NOBODY: &str = "65534:65534";

/// CoreDNS, the cluster's name server.
pub async fn coredns(workshop: &Workshop<'_>) -> Result<Archive> {
    program(workshop, Tool::Coredns).await
}

/// metrics-server, which tells the autoscaler what pods use.
pub async fn metrics_server(workshop: &Workshop<'_>) -> Result<Archive> {
    program(workshop, Tool::MetricsServer).await
}

/// FerretDB, the MongoDB protocol in front of PostgreSQL.
pub async fn ferretdb(workshop: &Workshop<'_>) -> Result<Archive> {
    program(workshop, Tool::Ferretdb).await
}

/// Prometheus, which collects what the chat nodes measure.
pub async fn prometheus(workshop: &Workshop<'_>) -> Result<Archive> {
    program(workshop, Tool::Prometheus).await
}

/// prometheus-adapter, which gives the autoscaler what Prometheus has collected.
pub async fn prometheus_adapter(workshop: &Workshop<'_>) -> Result<Archive> {
    program(workshop, Tool::PrometheusAdapter).await
}

/// The first process of every pod's sandbox.
pub async fn pause(workshop: &Workshop<'_>) -> Result<Archive> {
    let ingredients = Ingredients::new("pause", VERSION).text(PAUSE);
    workshop
        .image(ingredients, Placement::EveryNode, async |job: Job| {
            let (source, program) = (job.scratch.join("pause.c"), job.scratch.join("pause"));
            std::fs::write(&source, PAUSE)?;
            let compile = Run::new("cc").args(["-Os", "-static", "-s", "-o"]).args([&program, &source]);
            compile.logged(&job.log).await?;
            let mut layer = LayerWriter::create(job.scratch.join("layer"))?;
            layer.copy("pause", 0o755, &program)?;
            job.write(
                &Start { entrypoint: &["/pause"], user: NOBODY, ..Start::default() },
                &[layer.finish()?],
            )
        })
        .await
}

async fn program(workshop: &Workshop<'_>, tool: Tool) -> Result<Archive> {
    let ingredients = workshop.with_program(Ingredients::new(tool.name(), VERSION), tool);
    let source = workshop.binaries.path(tool);
    let make = async |job: Job| {
        blocking(move || {
            let mut layer = LayerWriter::create(job.scratch.join("layer"))?;
            layer.copy(tool.name(), 0o755, &source)?;
            let entrypoint = format!("/{}", tool.name());
            let start = Start { entrypoint: &[&entrypoint], user: NOBODY, ..Start::default() };
            job.write(&start, &[layer.finish()?])
        })
        .await
    };
    workshop.image(ingredients, Placement::ServicesNode, make).await
}
