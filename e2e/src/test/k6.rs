//! The scripts for k6, run by k6 itself on a chat node of their own.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::case::{Case, case};
use crate::binaries;
use crate::load::BareNode;
use crate::paths::Paths;
use crate::process::Run;
use crate::progress::Progress;
use crate::release;
use crate::tool::Tool;

const USERS: u32 = 24;
/// Messages a second of all users.
const RATE: u32 = 24;
const SECONDS: u32 = 3;
/// Members of a group.
const GROUP: u32 = 6;

/// k6, its scripts, and a chat node.
pub struct Scripts {
    paths: Paths,
    k6: PathBuf,
    node: BareNode,
}

/// The tests.
pub const CASES: &[Case<Scripts>] = &[
    case("the script for k6 sees what is lost, doubled and out of order", 60, |scripts| {
        Box::pin(oracle(scripts))
    }),
    case("k6 finds that everyone gets every message of one channel", 120, |scripts| {
        Box::pin(chat(scripts, "fan-out", USERS))
    }),
    case("k6 finds that members get every message of their groups", 120, |scripts| {
        Box::pin(chat(scripts, "channels", GROUP))
    }),
];

impl Scripts {
    /// Builds k6 if it is not there, and starts a chat node.
    pub async fn prepare(paths: &Paths, progress: &Progress) -> Result<Self> {
        let k6 = binaries::ensure(paths, progress, &[Tool::K6]).await?.path(Tool::K6);
        let program = release::build(paths, progress, &["chat-node"]).await?.join("chat-node");
        let node = BareNode::start(paths, &program).await?;
        Ok(Self { paths: paths.clone(), k6, node })
    }

    fn run(&self, script: &str) -> Run {
        let script = self.paths.tree.join("e2e/k6").join(script);
        Run::new(&self.k6).args(["run", "--quiet", "--no-color", "--no-usage-report"]).args([script])
    }
}

async fn oracle(scripts: Arc<Scripts>) -> Result<()> {
    scripts.run("oracle.test.js").output().await.map(drop)
}

/// k6 itself fails the run if any of its thresholds is crossed; that it has looked at all of them is checked here.
async fn chat(scripts: Arc<Scripts>, shape: &str, readers: u32) -> Result<()> {
    let summary = scripts.paths.state.join(format!("k6-{}.json", std::process::id()));
    let log = scripts.paths.log("k6");
    let ran = scripts
        .run("chat.js")
        .args(["--summary-export".as_ref(), summary.as_os_str()])
        .env("VIBETALK_URL", scripts.node.url())
        .env("VIBETALK_SECRET", BareNode::KEY)
        .env("SHAPE", shape)
        .env("GROUP_SIZE", GROUP.to_string())
        .env("USERS", USERS.to_string())
        .env("RATE", RATE.to_string())
        .env("DURATION", SECONDS.to_string())
        .logged(&log)
        .await;
    let text = std::fs::read_to_string(&summary);
    let _ = std::fs::remove_file(&summary);
    ran?;
    let summary: Value = serde_json::from_str(&text.context("k6 left no summary")?)?;
    let count = |name: &str| summary["metrics"][name]["count"].as_u64();
    let sent = RATE * SECONDS;
    for (name, expected) in
        [("vibetalk_sent", sent), ("vibetalk_acked", sent), ("vibetalk_received", sent * readers)]
    {
        let found = count(name);
        ensure!(found == Some(expected.into()), "{name} is {found:?} instead of {expected}");
    }
    Ok(())
}
