//! Whether this machine can run the cluster: each thing that is missing, with its remedy.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cgroup::{self, Hierarchy};
use crate::paths::Paths;
use crate::process::Run;
use crate::tool::Module;

/// The controllers that kubelet and runc need as version 1 hierarchies, and the named hierarchy they look for.
const CONTROLLERS: [&str; 9] =
    ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "name=systemd"];
const NAMESPACES: [&str; 6] = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
/// Over these a node mounts its own.
const HIDDEN: [&str; 6] = ["/run", "/var/run", "/proc", "/sys", "/var/lib/kubelet", "/var/lib/containerd"];
const GIB: u64 = 1 << 30;

/// How much the coming steps take.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// Bytes of disk, for builds and images.
    pub disk: u64,
    /// Bytes of memory, for processes and for images in memory.
    pub memory: u64,
}

impl Need {
    /// For a number of nodes that are not running yet, with the Go programs built or not.
    pub fn new(nodes: u8, programs_built: bool) -> Self {
        let disk = if programs_built { 3 * GIB } else { 16 * GIB };
        let memory = if nodes == 0 { 0 } else { 2 * GIB + u64::from(nodes) * GIB };
        Self { disk, memory }
    }
}

/// What was found.
#[derive(Clone, Debug)]
struct Facts {
    root: bool,
    state: PathBuf,
    disk: u64,
    memory: u64,
    hierarchies: Vec<Hierarchy>,
    namespaces: Vec<String>,
    go: Option<String>,
    go_wanted: String,
}

/// Something that is missing.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    what: String,
    remedy: String,
}

/// Fails with everything that is missing, before anything is installed or changed.
pub async fn check(paths: &Paths, need: Need) -> Result<()> {
    report(&problems(&facts(paths).await?, need))
}

/// Tries the kernel's features, in namespaces that vanish at once. Needs the Debian packages.
pub async fn try_kernel() -> Result<()> {
    const TRIALS: [(&str, &str); 4] = [
        ("network bridges (CONFIG_BRIDGE)", "ip link add trial type bridge"),
        ("network cables (CONFIG_VETH)", "ip link add trial type veth peer name other"),
        (
            "packet rewriting (CONFIG_NF_TABLES, CONFIG_NFT_NAT, CONFIG_NFT_NUMGEN)",
            "nft 'add table ip t; add chain ip t c { type nat hook prerouting priority 0; }; \
             add rule ip t c dnat to numgen random mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }'",
        ),
        (
            "layered file systems (CONFIG_OVERLAY_FS)",
            "mount -t tmpfs t /tmp; mkdir /tmp/l /tmp/u /tmp/w /tmp/m; \
             mount -t overlay -o lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w o /tmp/m",
        ),
    ];
    let mut problems = Vec::new();
    for (feature, trial) in TRIALS {
        let namespaces = ["--mount", "--net", "--pid", "--fork", "--uts", "--ipc", "--cgroup"];
        if let Err(error) = Run::new("unshare").args(namespaces).args(["sh", "-ec", trial]).output().await {
            let remedy = format!("use a kernel that has it. It was tried so: {error}");
            problems.push(Problem { what: format!("the kernel refuses {feature}"), remedy });
        }
    }
    report(&problems)
}

async fn facts(paths: &Paths) -> Result<Facts> {
    let go_mods =
        Module::ALL.into_iter().map(|module| module.go_mod(&paths.tree)).collect::<Result<Vec<_>>>()?;
    let go = Run::new("go").args(["env", "GOVERSION"]).directory(Path::new("/")).output().await.ok();
    let names = fs::read_dir("/proc/self/ns").context("cannot read /proc/self/ns")?;
    Ok(Facts {
        root: nix::unistd::geteuid().is_root(),
        state: paths.state.clone(),
        disk: free_disk(&paths.cache)?,
        memory: free_memory(&fs::read_to_string("/proc/meminfo")?),
        hierarchies: cgroup::hierarchies()?,
        namespaces: names.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect(),
        go: go.map(|version| version.trim().trim_start_matches("go").to_owned()),
        go_wanted: newest_go(&go_mods),
    })
}

fn problems(facts: &Facts, need: Need) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut missing = |is: bool, what: String, remedy: String| {
        if is {
            problems.push(Problem { what, remedy });
        }
    };
    missing(
        !facts.root,
        "root is needed: nodes are made of namespaces, mounts and control groups".into(),
        "run it as root, such as `sudo --preserve-env=PATH,HOME cargo e2e up`, or use a cluster by --kubeconfig".into(),
    );
    missing(
        facts.disk < need.disk,
        format!("{} of disk are free for the cache, {} are needed", gib(facts.disk), gib(need.disk)),
        "free some, or set VT_E2E_CACHE to a directory on a larger disk".into(),
    );
    missing(
        facts.memory < need.memory,
        format!("{} of memory are available, {} are needed", gib(facts.memory), gib(need.memory)),
        "end other programs, or run fewer nodes by --nodes 1".into(),
    );
    let hidden = HIDDEN.iter().find(|hidden| facts.state.starts_with(hidden));
    missing(
        hidden.is_some(),
        format!("the state directory {} is hidden from the nodes", facts.state.display()),
        "set VT_E2E_STATE to a directory elsewhere, such as /var/tmp/vibetalk-e2e".into(),
    );
    let absent: Vec<&str> =
        NAMESPACES.into_iter().filter(|wanted| !facts.namespaces.iter().any(|have| have == wanted)).collect();
    missing(
        !absent.is_empty(),
        format!("the kernel has no namespaces of kind {}", absent.join(", ")),
        "use a kernel that has them (CONFIG_NAMESPACES)".into(),
    );
    problems.extend(missing_hierarchies(&facts.hierarchies));
    problems.extend(missing_go(facts.go.as_deref(), &facts.go_wanted));
    problems
}

fn missing_hierarchies(present: &[Hierarchy]) -> Option<Problem> {
    let absent: Vec<&str> =
        CONTROLLERS.into_iter().filter(|one| !present.iter().any(|has| has.has(one))).collect();
    if absent.is_empty() {
        return None;
    }
    let remedy = if present.is_empty() {
        "this machine has control groups of version 2 only; boot it with the kernel options \
         `systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1`, or use a cluster by \
         --kubeconfig"
            .into()
    } else {
        let mount = |one: &&str| {
            let directory = one.trim_start_matches("name=");
            let option = if one.starts_with("name=") { format!("none,{one}") } else { (*one).to_owned() };
            let at = format!("/sys/fs/cgroup/{directory}");
            format!("mkdir -p {at} && mount -t cgroup -o {option} cgroup {at}")
        };
        format!("mount them: {}", absent.iter().map(mount).collect::<Vec<_>>().join("; "))
    };
    Some(Problem {
        what: format!("no control group hierarchies (version 1) of {}", absent.join(", ")),
        remedy,
    })
}

fn missing_go(found: Option<&str>, wanted: &str) -> Option<Problem> {
    let what = match found {
        None => "Go is not installed".to_owned(),
        Some(found) if version(found) < version(wanted) => format!("Go {found} is too old"),
        Some(_) => return None,
    };
    Some(Problem { what, remedy: format!("install Go {wanted} or later and put `go` on the PATH") })
}

fn report(problems: &[Problem]) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let mut text = String::from("this machine cannot run the cluster yet:");
    for Problem { what, remedy } in problems {
        write!(text, "\n  - {what}\n    → {remedy}")?;
    }
    bail!(text)
}

/// The bytes that are free where `directory` is or will be.
fn free_disk(directory: &Path) -> Result<u64> {
    let existing = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let found = nix::sys::statvfs::statvfs(existing)
        .with_context(|| format!("cannot ask how much is free at {}", existing.display()))?;
    Ok(found.blocks_available() * found.fragment_size())
}

fn free_memory(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// The newest of the versions that the modules ask for.
fn newest_go(go_mods: &[String]) -> String {
    let asked = go_mods.iter().filter_map(|text| text.lines().find_map(|line| line.strip_prefix("go ")));
    asked.max_by_key(|asked| version(asked)).unwrap_or_default().trim().to_owned()
}

/// The numbers of a version, comparable: 1.26.4 comes after 1.26 and 1.9.
fn version(text: &str) -> Vec<u32> {
    let number =
        |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    text.trim().split('.').map(number).collect()
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / GIB as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        let hierarchy = |one: &&str| Hierarchy { mount: "/".into(), option: (*one).to_owned() };
        Facts {
            root: true,
            state: "/root/.local/state/vibetalk-e2e".into(),
            disk: 100 * GIB,
            memory: 16 * GIB,
            hierarchies: CONTROLLERS.iter().map(hierarchy).collect(),
            namespaces: NAMESPACES.map(str::to_owned).to_vec(),
            go: Some("1.26.8".into()),
            go_wanted: "1.26.4".into(),
        }
    }

    fn found(facts: &Facts) -> String {
        report(&problems(facts, Need::new(3, false)))
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn a_good_machine_has_no_problems() {
        assert_eq!(found(&good()), "");
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let bad = Facts { root: false, memory: GIB, go: None, ..good() };
        let text = found(&bad);
        for part in
            ["root is needed", "1.0 GiB of memory", "--nodes 1", "Go is not installed", "Go 1.26.4 or later"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_machine_with_version_2_control_groups_only_is_told_how_to_boot() {
        let text = found(&Facts { hierarchies: Vec::new(), ..good() });
        assert!(
            text.contains("version 2 only") && text.contains("systemd.unified_cgroup_hierarchy=0"),
            "{text}"
        );
    }

    #[test]
    fn a_single_missing_hierarchy_comes_with_its_mount_command() {
        let mut facts = good();
        facts.hierarchies.retain(|one| !one.has("name=systemd"));
        let text = found(&facts);
        assert!(
            text.contains("mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd"),
            "{text}"
        );
    }

    #[test]
    fn a_state_directory_that_a_node_cannot_see_is_refused() {
        assert!(found(&Facts { state: "/run/user/0/x".into(), ..good() }).contains("VT_E2E_STATE"));
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert!(version("1.9") < version("1.26") && version("1.26") < version("1.26.4"));
        assert_eq!(newest_go(&["module a\ngo 1.26\n".into(), "go 1.26.4\n".into()]), "1.26.4");
        assert!(missing_go(Some("1.26"), "1.26.4").is_some());
        assert!(missing_go(Some("1.27rc1"), "1.26.4").is_none());
    }
}
