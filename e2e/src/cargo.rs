//! cargo, run from a program that cargo runs.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;

/// `cargo`, in the environment that the user's own shell gives it. Cargo tells the programs it runs about their crate;
/// build scripts that look at these variables would run again for no reason.
pub fn command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_about_this_crate) {
            command.env_remove(name);
        }
    }
    command
}

/// Compiles a program by `cargo ARGS`; gives where it is.
pub async fn compile(tree: &Path, args: &[&str], name: &str) -> Result<PathBuf> {
    let mut command = command();
    command.args(args).args(["--workspace", "--message-format=json-render-diagnostics"]);
    command.current_dir(tree).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let output = command.spawn().context("cannot start cargo")?.wait_with_output().await?;
    ensure!(output.status.success(), "{name} does not compile");
    executable(&output.stdout, name).with_context(|| format!("cargo names no program {name}"))
}

/// Finds a program in cargo's messages, one JSON object a line.
fn executable(messages: &[u8], name: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    #[derive(Deserialize)]
    struct Artifact {
        target: Target,
        executable: Option<PathBuf>,
    }
    let lines = messages.split(|byte| *byte == b'\n');
    let artifacts = lines.filter_map(|line| serde_json::from_slice::<Artifact>(line).ok());
    artifacts.filter(|artifact| artifact.target.name == name).find_map(|artifact| artifact.executable)
}

fn is_about_this_crate(name: &str) -> bool {
    let about = ["CARGO", "CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];
    about.contains(&name) || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_among_all_that_was_compiled() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"broker"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"chat-node"},"executable":"/t/chat-node"}
{"reason":"compiler-artifact","target":{"name":"broker"},"executable":"/t/broker-1"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages.as_bytes(), "broker"), Some("/t/broker-1".into()));
        assert_eq!(executable(messages.as_bytes(), "other"), None);
    }

    #[test]
    fn settings_of_the_user_stay() {
        assert!(is_about_this_crate("CARGO_MANIFEST_DIR"));
        assert!(!is_about_this_crate("CARGO_TARGET_DIR"));
        assert!(!is_about_this_crate("CARGO_HOME"));
    }
}
