//! Control groups (version 1): who belongs to a part, and what a node sees as its own.
//!
//! Every process of the cluster is in the group `vibetalk/PART` of the hierarchy `pids` from before its program
//! starts until its end, and so is everything it starts. So a part is found and ended by its group alone: nothing can
//! escape, and no process id needs to be written down that another process may have by now.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

/// The group that holds all groups of this program, in every hierarchy.
pub const ROOT: &str = "vibetalk";
/// How long the kernel may take to end the processes of a group.
const END_DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// A mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// The mount option that names it: its controllers, or `name=systemd`.
    pub option: String,
}

impl Hierarchy {
    /// Whether it has this controller (or name).
    pub fn has(&self, controller: &str) -> bool {
        self.option.split(',').any(|one| one == controller)
    }
}

/// The hierarchies of this machine.
pub fn hierarchies() -> Result<Vec<Hierarchy>> {
    Ok(parse(&fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?))
}

/// Makes the group of a part in every given hierarchy; returns their directories.
pub fn make(hierarchies: &[Hierarchy], part: &str) -> Result<Vec<PathBuf>> {
    let mut groups = Vec::new();
    for hierarchy in hierarchies {
        let root = hierarchy.mount.join(ROOT);
        let group = root.join(part);
        for (parent, directory) in [(&hierarchy.mount, &root), (&root, &group)] {
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
            if hierarchy.has("cpuset") {
                copy_cpus(parent, directory)?;
            }
        }
        groups.push(group);
    }
    Ok(groups)
}

/// The processes of a part, its sub-groups included.
pub fn processes(hierarchies: &[Hierarchy], part: &str) -> Vec<i32> {
    let Some(pids) = hierarchies.iter().find(|hierarchy| hierarchy.has("pids")) else { return Vec::new() };
    let mut found = Vec::new();
    visit(&pids.mount.join(ROOT).join(part), &mut |group| {
        let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
    });
    found
}

/// Whether a process is in a group of this program.
pub fn holds(pid: i32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let ours = format!("/{ROOT}/");
    // `4:pids:/vibetalk/n1`; below another group where this machine is a container itself.
    text.lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .any(|group| format!("{group}/").contains(&ours))
}

/// The parts that have a group.
pub fn parts(hierarchies: &[Hierarchy]) -> Vec<String> {
    let mut parts: Vec<String> = hierarchies
        .iter()
        .filter_map(|hierarchy| fs::read_dir(hierarchy.mount.join(ROOT)).ok())
        .flatten()
        .filter_map(|entry| entry.ok().filter(|entry| entry.path().is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    parts.sort();
    parts.dedup();
    parts
}

/// Kills everything in a part and waits for the kernel to be done with it; then removes its groups.
pub async fn end(hierarchies: &[Hierarchy], part: &str) -> Result<()> {
    let deadline = Instant::now() + END_DEADLINE;
    loop {
        let left = processes(hierarchies, part);
        if left.is_empty() && remove(hierarchies, part) {
            return Ok(());
        }
        for pid in &left {
            // A process that has ended meanwhile is what we want.
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        if Instant::now() > deadline {
            bail!("the processes {left:?} of {part} do not end, or its control group cannot be removed");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Removes the group that held the others, once they are gone.
pub fn remove_root(hierarchies: &[Hierarchy]) {
    for hierarchy in hierarchies {
        // Not empty: another part is still there, and this is not the last call.
        let _ = fs::remove_dir(hierarchy.mount.join(ROOT));
    }
}

fn remove(hierarchies: &[Hierarchy], part: &str) -> bool {
    let mut gone = true;
    for hierarchy in hierarchies {
        let group = hierarchy.mount.join(ROOT).join(part);
        visit(&group, &mut |directory| {
            // Refused as long as a process that is ending is in it; the caller tries again.
            let _ = fs::remove_dir(directory);
        });
        gone &= !group.exists();
    }
    gone
}

/// Calls `seen` with every group below and with `group` itself, the deepest first.
fn visit(group: &Path, seen: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            visit(&entry.path(), seen);
        }
    }
    if group.is_dir() {
        seen(group);
    }
}

/// A group of this hierarchy takes no process before it knows its processors and memory nodes.
fn copy_cpus(parent: &Path, group: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let value = fs::read_to_string(parent.join(file))?;
        fs::write(group.join(file), value.trim())
            .with_context(|| format!("cannot set {file} of {}", group.display()))?;
    }
    Ok(())
}

fn parse(mounts: &str) -> Vec<Hierarchy> {
    const FLAGS: [&str; 9] =
        ["rw", "ro", "nosuid", "nodev", "noexec", "relatime", "noatime", "xattr", "clone_children"];
    let hierarchy = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (mount, kind, options) = (words.next()?, words.next()?, words.next()?);
        let named = |option: &&str| !FLAGS.contains(option) && !option.starts_with("release_agent=");
        let option: Vec<&str> = options.split(',').filter(named).collect();
        (kind == "cgroup").then(|| Hierarchy { mount: mount.into(), option: option.join(",") })
    };
    let mut found: Vec<Hierarchy> = Vec::new();
    for hierarchy in mounts.lines().filter_map(hierarchy) {
        // Mounted again, as in a container: the later mount is the one that is seen.
        found.retain(|earlier| earlier.option != hierarchy.option);
        found.push(hierarchy);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounted_hierarchies_are_known_by_their_controllers_or_name() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
            cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,relatime,cpu,cpuacct 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,release_agent=/x,name=systemd 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let found = parse(mounts);
        let options: Vec<&str> = found.iter().map(|one| one.option.as_str()).collect();
        assert_eq!(options, ["cpu,cpuacct", "name=systemd"]);
        assert!(found[0].has("cpuacct") && !found[0].has("cpuset"));
    }

    #[test]
    fn of_a_hierarchy_that_is_mounted_twice_the_later_mount_counts() {
        let found = parse("cgroup /a cgroup rw,pids 0 0\ncgroup /b cgroup rw,pids 0 0\n");
        assert_eq!(found, [Hierarchy { mount: "/b".into(), option: "pids".into() }]);
    }
}
