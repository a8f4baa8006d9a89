//! `vibetalk-operator`: runs the operator, or prints what it would create.

use std::io::Write;

use clap::Parser;
use operator::args::{Args, Command};

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Run(args) => {
            operator::telemetry::start(&args.log)?;
            tokio::runtime::Runtime::new()?.block_on(operator::run::run(args))
        }
        Command::Crds => print(&crds::yaml::text()?),
        Command::Render(args) => print(&operator::render::render(&args)?),
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
