//! Debian packages: what the cluster needs from the system.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::paths::Paths;
use crate::process::{self, Run};
use crate::progress::Progress;

/// What a node, its network and the making of images need.
pub const CLUSTER: [&str; 13] = [
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iproute2",
    "iptables",
    "nftables",
    "conntrack",
    "ethtool",
    "socat",
    "buildah",
    "mmdebstrap",
    "gcc",
    "libc6-dev",
];

/// What the images of broker and store are made with.
pub const IMAGES: [&str; 1] = ["mmdebstrap"];

/// What counts a program's instructions.
pub const COUNTING: [&str; 1] = ["valgrind"];

/// What makes the clock of a process step.
pub const CLOCK: [&str; 1] = ["libfaketime"];

/// What the browser test needs.
pub const BROWSER: [&str; 1] = ["chromium"];

const INSTALL_DEADLINE: Duration = Duration::from_secs(20 * 60);

/// Installs those of `wanted` that are missing, and says which.
pub async fn ensure(paths: &Paths, progress: &Progress, wanted: &[&str]) -> Result<()> {
    if process::find("dpkg-query").is_none() || process::find("apt-get").is_none() {
        bail!(
            "this is no Debian: `apt-get` is missing. Use Debian 12 or a derivative, or give `cargo e2e up` a cluster \
             by --kubeconfig"
        );
    }
    let missing = missing(wanted).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let name = format!("install the Debian packages {}", missing.join(" "));
    progress.step(&name, install(paths, &missing)).await.context("part packages")
}

async fn missing<'a>(wanted: &[&'a str]) -> Result<Vec<&'a str>> {
    // A package that was never heard of makes it fail, and is missing too.
    let known = Run::new("sh")
        .args(["-c", "dpkg-query -W -f='${Package} ${db:Status-Status}\\n' \"$@\" 2>/dev/null || true", "sh"])
        .args(wanted)
        .output()
        .await?;
    Ok(not_installed(wanted, &known))
}

async fn install(paths: &Paths, missing: &[&str]) -> Result<()> {
    let apt = || Run::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").deadline(INSTALL_DEADLINE);
    let log = paths.log("packages");
    apt().args(["update", "-q"]).logged(&log).await?;
    apt().args(["install", "-q", "-y", "--no-install-recommends"]).args(missing).logged(&log).await
}

fn not_installed<'a>(wanted: &[&'a str], known: &str) -> Vec<&'a str> {
    let installed = |name: &str| {
        known.lines().any(|line| {
            line.split_once(' ').is_some_and(|(one, status)| one == name && status == "installed")
        })
    };
    wanted.iter().copied().filter(|name| !installed(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_is_unknown_or_was_removed_is_missing() {
        let known = "runc installed\nsocat config-files\n";
        assert_eq!(not_installed(&["runc", "socat", "gcc"], known), ["socat", "gcc"]);
    }
}
