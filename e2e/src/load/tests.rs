//! The whole instrument on a chat node as it is compiled for tests.

mod tls;

use std::path::PathBuf;

use clap::Parser;

use super::*;
use crate::args::{Cli, Command};

/// The chat node beside this program; tests of its crate have it compiled.
fn chat_node() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let program = own.parent()?.parent()?.join("chat-node");
    if !program.is_file() {
        println!("left out: load needs the chat node's program: `cargo build --bin chat-node`");
        return None;
    }
    Some(program)
}

fn load(program: &Path) -> Load {
    let program = program.to_string_lossy();
    let Command::Load(load) = Cli::parse_from(["e2e", "load", "small", "--chat-node", &program]).command
    else {
        panic!("not load");
    };
    load
}

async fn measured(profile: &str) -> Option<Report> {
    let load = load(&chat_node()?);
    let state = tempfile::tempdir().unwrap();
    let paths = Paths { state: state.path().to_path_buf(), ..Paths::discover().unwrap() };
    let profile = Profile::parse(profile).unwrap();
    // An error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Some(measure(&paths, &Progress::start(), ("small", profile, &load)).await.unwrap())
}

#[tokio::test]
async fn a_few_hundred_users_talk_break_and_stop_reading_and_nothing_is_lost() {
    let profile = "{description: small, users: 200, connect: {perSecond: 400}, official: {messagesPerSecond: 5}, \
        groups: {count: 10, size: 20, channels: 2, messagesPerSecond: 20}, \
        direct: {pairs: 20, messagesPerSecond: 10}, typingPerSecond: 5, reconnectPercentPerMinute: 300, \
        slow: {percent: 5, pause: 1s}, events: [{at: 1s, cutPercent: 20}], duration: 3s}";
    let Some(report) = measured(profile).await else { return };
    assert!(report.is_clean(), "{report}");
    let traffic = report.traffic.as_ref().unwrap();
    let counts = &report.counts;
    assert_eq!((counts.sends, counts.acks), (105, 105), "{report}");
    assert_eq!(report.compared.messages, 105, "{report}");
    // All that was said in the official channel, to everyone, new or missed; and the rest.
    let least = 15 * 200 + 60 * 20 + 30 * 2;
    assert_eq!(counts.deliveries + counts.replays, least, "{report}");
    // Who is cut off again before being back signs in once for both.
    assert!(counts.cut_by_run > 40, "{report}");
    assert!((241..=200 + counts.cut_by_run).contains(&counts.sign_ins), "{report}");
    assert!(traffic.ack.count > 90 && traffic.delivery.count > 2_000, "{report}");
    assert!(traffic.usage.roles[&Role::Server].resident_kib > 1_000, "{report}");
}
