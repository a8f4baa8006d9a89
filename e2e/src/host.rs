//! What the cluster changes on the machine itself, and how it is put back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::paths::Paths;

/// The kernel settings that kubelet changes for the whole machine.
const SYSCTLS: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// The directories over which every node mounts its own; parents stand before children.
pub const MOUNT_POINTS: [&str; 7] = [
    "/var/lib/kubelet",
    "/var/lib/containerd",
    "/var/lib/cni",
    "/etc/cni",
    "/etc/cni/net.d",
    "/var/log/pods",
    "/var/log/containers",
];

/// What is to be put back.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Before {
    /// The boot in which this was written: another boot has its own settings.
    boot: String,
    sysctls: BTreeMap<String, String>,
    /// The directories that were not there.
    absent: Vec<PathBuf>,
}

/// Writes down what is to be put back, unless an earlier run has, and only then makes the mount points.
pub fn prepare(paths: &Paths) -> Result<()> {
    let record = record(paths);
    if !record.is_file() {
        let unfinished = record.with_extension("unfinished");
        fs::write(&unfinished, serde_json::to_vec_pretty(&look(Path::new("/"))?)?)
            .with_context(|| format!("cannot write {}", unfinished.display()))?;
        fs::rename(&unfinished, &record)?;
    }
    for directory in MOUNT_POINTS {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {directory}"))?;
    }
    Ok(())
}

/// Puts back what [`prepare`] wrote down. Directories that hold something by now stay.
pub fn restore(paths: &Paths) -> Result<()> {
    let record = record(paths);
    let Ok(text) = fs::read(&record) else { return Ok(()) };
    let before: Before =
        serde_json::from_slice(&text).with_context(|| format!("cannot read {}", record.display()))?;
    if before.boot == boot()? {
        for (name, value) in &before.sysctls {
            fs::write(sysctl(name), value)
                .with_context(|| format!("cannot put back the kernel setting {name}"))?;
        }
    }
    for directory in before.absent.iter().rev() {
        // Not empty or already gone: not ours to remove.
        let _ = fs::remove_dir(directory);
    }
    fs::remove_file(&record).with_context(|| format!("cannot remove {}", record.display()))
}

fn look(root: &Path) -> Result<Before> {
    let read = |name: &&str| {
        let value = fs::read_to_string(sysctl(name)).ok()?;
        Some(((*name).to_owned(), value.trim().to_owned()))
    };
    let absent = MOUNT_POINTS.iter().map(PathBuf::from);
    Ok(Before {
        boot: boot()?,
        sysctls: SYSCTLS.iter().filter_map(read).collect(),
        absent: absent.filter(|directory| !root.join(directory).exists()).collect(),
    })
}

fn sysctl(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name)
}

fn boot() -> Result<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("cannot read the boot's id")?;
    Ok(id.trim().to_owned())
}

fn record(paths: &Paths) -> PathBuf {
    paths.state.join("put-back.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_of_mount_points_are_made_before_and_removed_after_their_children() {
        let place = |wanted| MOUNT_POINTS.iter().position(|point| *point == wanted);
        assert!(place("/etc/cni") < place("/etc/cni/net.d"));
    }

    #[test]
    fn nothing_is_put_back_where_nothing_was_written_down() {
        let state = tempfile::tempdir().unwrap();
        let paths = Paths { tree: "/t".into(), cache: "/c".into(), state: state.path().into() };
        restore(&paths).unwrap();
    }

    #[test]
    fn what_another_boot_wrote_down_is_dropped_without_touching_the_settings() {
        let state = tempfile::tempdir().unwrap();
        let paths = Paths { tree: "/t".into(), cache: "/c".into(), state: state.path().into() };
        let impossible = BTreeMap::from([("kernel/no-such-setting".to_owned(), "1".to_owned())]);
        let before = Before { boot: "another".into(), sysctls: impossible, absent: Vec::new() };
        fs::write(record(&paths), serde_json::to_vec(&before).unwrap()).unwrap();
        restore(&paths).unwrap();
        assert!(!record(&paths).exists());
    }
}
