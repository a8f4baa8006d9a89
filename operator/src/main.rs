//! `vibetalk-operator`: runs the operator, or prints what it would create.

use std::io::Write;

use clap::Parser;
use operator::args::{Args, Command};
use tokio::runtime::Runtime;

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Run(args) => {
            operator::telemetry::start(&args.log)?;
            runtime()?.block_on(operator::run::run(args))
        }
        Command::Crds => print(&crds::yaml::text()?),
        Command::Render(args) => print(&operator::render::render(&args)?),
    }
}

/// One thread: the operator waits for the network most of its time, and every further one, of which a large machine would
/// get many, keeps memory of its own.
fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
