//! How the machine is, so that before and after can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::cgroup;
use crate::daemon;
use crate::host;
use crate::network;
use crate::paths::Paths;
use crate::process::Run;

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
    // The nodes have networks of their own, and others change this machine's.
    "net/",
    "vm/stat_refresh",
];

/// What a cluster could leave behind, by kind. What others do meanwhile on this machine, such as a container engine, is
/// not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Things that are there or not: processes, mounts, links, routes, packet rules, control groups, directories.
    present: BTreeMap<String, BTreeSet<String>>,
    /// Kernel settings with their values.
    settings: BTreeMap<String, String>,
}

impl Snapshot {
    /// Looks at the machine.
    pub async fn take(paths: &Paths) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").context("cannot read the mounts")?;
        let routes = command("ip", &["-oneline", "route", "show", "table", "all"]).await
            + &command("ip", &["-6", "-oneline", "route", "show", "table", "all"]).await;
        let rules = command("nft", &["--stateless", "list", "ruleset"]).await;
        let present = [
            ("process", processes()),
            ("mount", mounts.lines().filter(|line| is_our_mount(line, paths)).map(mount).collect()),
            ("link", names("/sys/class/net").into_iter().filter(|link| is_our_link(link)).collect()),
            ("route", routes.lines().filter(|line| is_about_us(line)).map(route).collect()),
            (
                "packet rule",
                rules.lines().filter(|line| is_about_us(line)).map(|line| line.trim().to_owned()).collect(),
            ),
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

/// What a daemon of ours was or started, by its mark or its control group: a container has an environment of its own.
fn processes() -> BTreeSet<String> {
    let ours = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_string_lossy().parse().ok()?;
        // One that has ended, and whose parent has not asked for its status yet, has no program any more.
        let program = fs::read_link(entry.path().join("exe")).ok()?;
        let name = program.file_name()?.to_string_lossy().into_owned();
        (daemon::is_marked(pid) || cgroup::holds(pid)).then(|| format!("{name} ({pid})"))
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(ours).collect()
}

/// Whether it is where we keep things, or where nodes mount their own in namespaces of theirs.
fn is_our_mount(line: &str, paths: &Paths) -> bool {
    let at = Path::new(mounted_at(line));
    let ours = [&paths.state, &paths.cache].map(PathBuf::as_path).into_iter();
    ours.chain(host::MOUNT_POINTS.iter().map(Path::new)).any(|own| at.starts_with(own))
}

fn is_our_link(link: &str) -> bool {
    link == network::BRIDGE || (1..=network::MOST_NODES).any(|node| link == network::cable(node))
}

/// Whether a route or a packet rule is about the cluster's networks, or of its service proxy.
fn is_about_us(line: &str) -> bool {
    let host = network::HOST.to_string();
    let two_numbers =
        |network: &str| network.splitn(3, '.').take(2).map(|one| format!("{one}.")).collect::<String>();
    let networks = [network::PODS, network::SERVICES, &host].map(two_numbers);
    line.contains(network::BRIDGE) || networks.iter().any(|begin| line.contains(begin.as_str()))
}

fn mounted_at(line: &str) -> &str {
    line.split(' ').nth(4).unwrap_or_default()
}

/// Where it is mounted, what kind it is and from where.
fn mount(line: &str) -> String {
    let right = line.split_once(" - ").map_or("", |(_, right)| right);
    let at = mounted_at(line);
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

/// Our own, and the one that a kubelet would make if it saw this machine's top.
fn groups() -> Result<BTreeSet<String>> {
    let below = |hierarchy: &cgroup::Hierarchy| {
        let mount = hierarchy.mount.clone();
        [cgroup::ROOT, "kubepods"].into_iter().map(move |name| mount.join(name))
    };
    let groups = cgroup::hierarchies()?;
    let present = groups.iter().flat_map(below).filter(|group| group.is_dir());
    Ok(present.map(|group| group.display().to_string()).collect())
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
    fn what_others_mount_connect_and_filter_is_not_looked_at() {
        let paths = Paths { tree: "/t".into(), cache: "/home/c".into(), state: "/home/s".into() };
        let mounted = |at: &str| is_our_mount(&format!("36 35 98:0 / {at} rw - overlay overlay rw"), &paths);
        assert!(mounted("/home/s") && mounted("/home/c/images/x") && mounted("/var/lib/kubelet/pods/y"));
        for other in ["/mnt", "/home/state", "/var/lib/docker/overlay2/z/merged", "/run/netns/other"] {
            assert!(!mounted(other), "{other}");
        }
        assert!(is_our_link("vtbr0") && is_our_link("vt-n3"));
        assert!(!is_our_link("docker0") && !is_our_link("veth1a2b"));
        for ours in [
            "10.244.1.0/24 via 10.89.0.11 dev vtbr0",
            "10.96.0.0/16 via 10.89.0.11",
            "ip daddr 10.96.0.10 drop",
        ] {
            assert!(is_about_us(ours), "{ours}");
        }
        assert!(!is_about_us("172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1"));
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
