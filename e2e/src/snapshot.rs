//! How the machine is, so that before and after can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::cgroup;
use crate::daemon;
use crate::host;
use crate::paths::Paths;
use crate::process::Run;

/// Programs that nodes run and that are not built here.
const NODE_PROGRAMS: [&str; 4] = ["containerd", "containerd-shim-runc-v2", "runc", "pause"];
/// Kernel settings that are no settings: counters and states, which change by themselves.
const COUNTERS: [&str; 12] = [
    "fs/aio-nr",
    "fs/binfmt_misc",
    "fs/dentry-state",
    "fs/file-nr",
    "fs/inode-",
    "fs/quota",
    "kernel/ns_last_pid",
    "kernel/pty/nr",
    "kernel/random",
    "kernel/hung_task_detect_count",
    "net/netfilter/nf_conntrack_count",
    "vm/stat_refresh",
];

/// What a cluster could leave behind, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Things that are there or not: processes, mounts, links, routes, packet rules, control groups, directories.
    present: BTreeMap<String, BTreeSet<String>>,
    /// Kernel settings with their values.
    settings: BTreeMap<String, String>,
}

impl Snapshot {
    /// Looks at the machine.
    pub async fn take() -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").context("cannot read the mounts")?;
        let routes = command("ip", &["-oneline", "route", "show", "table", "all"]).await
            + &command("ip", &["-6", "-oneline", "route", "show", "table", "all"]).await;
        let rules = command("nft", &["--stateless", "list", "ruleset"]).await;
        let present = [
            ("process", processes()),
            ("mount", mounts.lines().map(mount).collect()),
            ("network namespace", names("/run/netns")),
            ("link", names("/sys/class/net")),
            ("route", routes.lines().map(route).collect()),
            ("packet rule", rules.lines().map(|line| line.trim().to_owned()).collect()),
            ("control group", groups()?),
            ("directory", directories()),
        ];
        let mut settings = BTreeMap::new();
        read_settings(Path::new("/proc/sys"), &mut settings);
        Ok(Self { present: present.map(|(kind, found)| (kind.to_owned(), found)).into(), settings })
    }

    /// What is different in `after`, each as one line.
    pub fn differences(&self, after: &Self) -> Vec<String> {
        let none = BTreeSet::new();
        let mut lines = Vec::new();
        let kinds: BTreeSet<&String> = self.present.keys().chain(after.present.keys()).collect();
        for kind in kinds {
            let (before, now) =
                (self.present.get(kind).unwrap_or(&none), after.present.get(kind).unwrap_or(&none));
            lines.extend(now.difference(before).map(|what| format!("{kind} left behind: {what}")));
            lines.extend(before.difference(now).map(|what| format!("{kind} gone: {what}")));
        }
        // A setting that appeared or went belongs to a kernel module or a link, not to us.
        for (name, before) in &self.settings {
            if let Some(now) = after.settings.get(name).filter(|now| *now != before) {
                lines.push(format!("kernel setting {name} was {before}, is {now}"));
            }
        }
        lines
    }

    /// Writes it into the state directory, unless an earlier one is there: a cluster that was cut short must not pass
    /// for how the machine was before.
    pub fn keep_first(&self, paths: &Paths) -> Result<()> {
        let file = Self::file(paths);
        if file.is_file() {
            return Ok(());
        }
        fs::create_dir_all(&paths.state).with_context(|| format!("cannot make {}", paths.state.display()))?;
        let unfinished = file.with_extension("unfinished");
        fs::write(&unfinished, serde_json::to_vec(self)?)?;
        fs::rename(&unfinished, &file).with_context(|| format!("cannot write {}", file.display()))
    }

    /// The one that was written before the cluster came up.
    pub fn kept(paths: &Paths) -> Result<Option<Self>> {
        match fs::read(Self::file(paths)) {
            Ok(text) => {
                Ok(Some(serde_json::from_slice(&text).context("cannot read the machine's earlier state")?))
            }
            Err(_) => Ok(None),
        }
    }

    /// Where it is kept.
    pub fn file(paths: &Paths) -> PathBuf {
        paths.state.join("before.json")
    }
}

/// What a daemon of ours was or started, and the programs of nodes. Others come and go as they like.
fn processes() -> BTreeSet<String> {
    let ours = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_string_lossy().parse().ok()?;
        // One that has ended, and whose parent has not asked for its status yet, has no program any more.
        let program = fs::read_link(entry.path().join("exe")).ok()?;
        let name = program.file_name()?.to_string_lossy().into_owned();
        let known = daemon::is_marked(pid) || NODE_PROGRAMS.contains(&name.as_str());
        known.then(|| format!("{name} ({pid})"))
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(ours).collect()
}

/// Where it is mounted, what kind it is and from where.
fn mount(line: &str) -> String {
    let (left, right) = line.split_once(" - ").unwrap_or((line, ""));
    let at = left.split(' ').nth(4).unwrap_or_default();
    let kind: Vec<&str> = right.split(' ').take(2).collect();
    format!("{at} ({})", kind.join(" "))
}

/// Without the seconds that are left to a learnt route.
fn route(line: &str) -> String {
    let mut words = Vec::new();
    let mut rest = line.split_whitespace();
    while let Some(word) = rest.next() {
        if word == "expires" {
            rest.next();
        } else {
            words.push(word);
        }
    }
    words.join(" ")
}

/// The groups right below the top of every hierarchy.
fn groups() -> Result<BTreeSet<String>> {
    let below = |hierarchy: &cgroup::Hierarchy| {
        let groups = fs::read_dir(&hierarchy.mount).into_iter().flatten().flatten();
        groups
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.path().display().to_string())
            .collect::<Vec<_>>()
    };
    Ok(cgroup::hierarchies()?.iter().flat_map(below).collect())
}

fn directories() -> BTreeSet<String> {
    let more = [
        "/opt/containerd",
        "/usr/libexec/kubernetes",
        "/var/run/netns",
        "/var/lib/kube-proxy",
        "/etc/kubernetes",
    ];
    let known = host::MOUNT_POINTS.into_iter().chain(more);
    known.filter(|directory| Path::new(directory).exists()).map(str::to_owned).collect()
}

fn read_settings(directory: &Path, settings: &mut BTreeMap<String, String>) {
    use std::os::unix::fs::PermissionsExt;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.strip_prefix("/proc/sys").unwrap_or(&path).to_string_lossy().into_owned();
        let Ok(kind) = entry.metadata() else { continue };
        if COUNTERS.iter().any(|counter| name.starts_with(counter)) {
            continue;
        }
        if kind.is_dir() {
            read_settings(&path, settings);
        } else if kind.permissions().mode() & 0o400 != 0
            && let Ok(value) = fs::read_to_string(&path)
        {
            settings.insert(name, value.trim().to_owned());
        }
    }
}

fn names(directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// What a program prints; nothing where it is not installed, as before the first `up`.
async fn command(program: &str, args: &[&str]) -> String {
    Run::new(program).args(args).output().await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(kind: &str, what: &[&str], setting: &str) -> Snapshot {
        let found = what.iter().map(|one| (*one).to_owned()).collect();
        Snapshot {
            present: BTreeMap::from([(kind.to_owned(), found)]),
            settings: BTreeMap::from([("kernel/panic".to_owned(), setting.to_owned())]),
        }
    }

    #[test]
    fn equal_machines_do_not_differ() {
        let one = snapshot("link", &["eth0"], "1");
        assert!(one.differences(&one.clone()).is_empty());
    }

    #[test]
    fn what_was_left_what_is_gone_and_what_changed_is_each_named() {
        let before = snapshot("link", &["eth0", "eth1"], "1");
        let after = snapshot("link", &["eth0", "vtbr0"], "10");
        assert_eq!(
            before.differences(&after),
            ["link left behind: vtbr0", "link gone: eth1", "kernel setting kernel/panic was 1, is 10"]
        );
    }

    #[test]
    fn a_kind_that_only_one_of_them_knows_counts() {
        let after = snapshot("mount", &["/x"], "1");
        assert_eq!(snapshot("link", &[], "1").differences(&after), ["mount left behind: /x"]);
    }

    #[test]
    fn a_setting_that_a_kernel_module_brought_does_not_count() {
        let before = Snapshot::default();
        assert!(
            before
                .differences(&Snapshot { settings: snapshot("", &[], "1").settings, ..before.clone() })
                .is_empty()
        );
    }

    #[test]
    fn mounts_and_routes_are_told_apart_by_what_stays_the_same() {
        let line = "36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        assert_eq!(mount(line), "/mnt (ext3 /dev/root)");
        assert_eq!(
            route("fe80::/64 dev eth0 expires 86387sec pref medium"),
            "fe80::/64 dev eth0 pref medium"
        );
    }

    #[test]
    fn the_first_record_is_kept() {
        let state = tempfile::tempdir().unwrap();
        let paths = Paths { tree: "/t".into(), cache: "/c".into(), state: state.path().join("state") };
        let first = snapshot("link", &["eth0"], "1");
        first.keep_first(&paths).unwrap();
        snapshot("link", &["eth0", "vtbr0"], "1").keep_first(&paths).unwrap();
        assert_eq!(Snapshot::kept(&paths).unwrap(), Some(first));
    }
}
