//! `chat-node`: read the configuration, run a node, drain it on a signal.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use anyhow::Context;
use chat_node::config::{AuthChoice, Config, Options, StoreChoice};
use chat_node::logs;
use chat_node::node::Node;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let begun = Instant::now();
    let options = Options::parse();
    log_to_stderr()?;
    // For stores and brokers with TLS; an error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::load(options)?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let node = tokio::select! {
        node = Node::start(config.clone()) => node?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    tracing::info!(address = %node.address, admin = %node.admin_address, took = ?begun.elapsed(), "ready");
    if config.stands_alone {
        greet(&config, &node)?;
    }
    tokio::select! {
        () = node.drain_ordered() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tokio::select! {
        left = node.drain() => tracing::info!(left, "the end"),
        _ = terminate.recv() => tracing::warn!("told twice: the end at once"),
        _ = interrupt.recv() => tracing::warn!("told twice: the end at once"),
    }
    Ok(())
}

fn log_to_stderr() -> anyhow::Result<()> {
    let wanted = std::env::var("VT_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = logs::filter(&wanted).with_context(|| format!("VT_LOG={wanted} is no log filter"))?;
    let set = if std::io::stderr().is_terminal() {
        tracing::subscriber::set_global_default(logs::for_people(filter))
    } else {
        tracing::subscriber::set_global_default(logs::for_machines(filter, std::io::stderr))
    };
    set.context("there is a log already")
}

fn greet(config: &Config, node: &Node) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "chat:  http://{}/", node.address)?;
    writeln!(out, "admin: http://{}/readyz  /metrics  /v1/node", node.admin_address)?;
    if let StoreChoice::Embedded(directory) = &config.store {
        writeln!(out, "data:  {}", directory.display())?;
    }
    if matches!(config.auth, AuthChoice::Development) {
        writeln!(out, "Anybody who reaches this address can sign in under any name (development login).")?;
    }
    Ok(())
}
