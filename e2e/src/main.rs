//! A real Kubernetes on this machine, VibeTalk on it, and the tests of both.

mod addons;
mod archive;
mod args;
mod bench;
mod binaries;
mod browser;
mod cargo;
mod cgroup;
mod client;
mod cluster;
mod control_plane;
mod daemon;
mod down;
mod eventually;
mod fleet;
mod host;
mod images;
mod load;
mod lock;
mod login;
mod logs;
mod machine;
mod monitoring;
mod network;
mod node;
mod node_files;
mod offset;
mod output;
mod packages;
mod paths;
mod pki;
mod process;
mod product;
mod progress;
mod release;
mod services;
mod site;
mod snapshot;
mod status;
mod template;
mod test;
mod tool;
mod traffic;
mod up;
mod workload;

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;

use crate::args::{Cli, Command, Up};
use crate::binaries::Binaries;
use crate::down::Check;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::tool::Tool;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    // An error would say that a provider is installed already: that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let paths = Paths::discover()?;
    let progress = Progress::start();
    match command {
        Command::Up(up) => bring_up(&paths, &progress, &up).await?,
        Command::Down(down) => {
            let check = if down.check { Check::Compare } else { Check::Skip };
            down::run(&paths, &progress, check).await?;
        }
        Command::Status => status::print(&paths).await?,
        Command::Kubectl { args } => kubectl(&paths, &args)?,
        Command::Logs { part } => logs::print(&paths, part.as_deref())?,
        Command::Fault(order) => order.carry_out(&paths).await?,
        Command::Bench(bench) => return bench::run(&paths, &progress, bench).await,
        Command::Load(load) => return load::run(&paths, &progress, load).await,
        Command::Test(wanted) => return Ok(test::run(&paths, &progress, wanted.filter).await),
    }
    Ok(ExitCode::SUCCESS)
}

async fn bring_up(paths: &Paths, progress: &Progress, up: &Up) -> Result<()> {
    let announcement = match &up.existing {
        Some(existing) => up::existing(paths, progress, existing).await?,
        None => up::everything(paths, progress, up.nodes).await?.2,
    };
    println!("\n{announcement}");
    Ok(())
}

/// Becomes kubectl, so that its exit code and its terminal are the caller's.
fn kubectl(paths: &Paths, args: &[String]) -> Result<()> {
    if !paths.kubeconfig().is_file() {
        bail!("there is no local cluster; start it by `cargo e2e up`");
    }
    let program = Binaries::locate(paths)?.path(Tool::Kubectl);
    let mut command = std::process::Command::new(&program);
    command.args(args).env("KUBECONFIG", paths.kubeconfig()).env("KUBECACHEDIR", paths.kubectl_cache());
    bail!("cannot start {}: {}", program.display(), command.exec())
}
