//! `chat-node`: read the configuration, run a node, drain it on a signal.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use anyhow::Context;
use chat_node::config::{AuthChoice, Config, Options, StoreChoice};
use chat_node::node::Node;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

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

/// For people on a terminal, for machines otherwise.
fn log_to_stderr() -> anyhow::Result<()> {
    let wanted = std::env::var("VT_LOG").unwrap_or_else(|_| "info".to_owned());
    // The broker's library calls errors what the bus reports with its reason; whoever wants it can still name it.
    let filter = EnvFilter::try_new(format!("lapin=off,{wanted}"))
        .with_context(|| format!("VT_LOG={wanted} is no log filter"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.init();
    } else {
        builder.json().flatten_event(true).init();
    }
    Ok(())
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
