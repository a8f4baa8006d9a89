//! One node: its own network, mounts, processes, names and control groups on this machine, and in them containerd,
//! the kubelet and the service proxy.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use tokio::time::Instant;

use crate::archive::{Archive, Placement};
use crate::binaries::Binaries;
use crate::cgroup;
use crate::daemon::Daemon;
use crate::network;
use crate::node_files;
use crate::paths::Paths;
use crate::process::{Run, tail};
use crate::tool::Tool;

/// The program that is process 1 of the node.
const INIT: &str = include_str!("../templates/node-init.sh");
/// The file that says that the boot came to its end: one that was cut short is done again.
const BOOTED: &str = "booted";
/// The file that lets kubelet and service proxy start; node-init.sh waits for it.
const ADMITTED: &str = "admitted";
const BOOT_DEADLINE: Duration = Duration::from_secs(30);
const IMPORT_DEADLINE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(50);

/// A node, running or not.
#[derive(Clone, Debug)]
pub struct Node {
    /// 1, 2 or 3.
    pub number: u8,
    paths: Paths,
    binaries: Binaries,
}

impl Node {
    /// The node of this number.
    pub fn new(paths: &Paths, binaries: &Binaries, number: u8) -> Self {
        Self { number, paths: paths.clone(), binaries: binaries.clone() }
    }

    /// Its name in the cluster: `n1`.
    pub fn name(&self) -> String {
        format!("n{}", self.number)
    }

    /// Whether it is the one that holds what the product depends on: broker, store, ingress, name server.
    pub fn holds_services(&self) -> bool {
        self.number == 1
    }

    /// Starts it with its images, if it does not run as wanted: after this its kubelet is at work. `pause` is the
    /// image of the sandbox that holds a pod's namespaces.
    pub async fn start(&self, pause: &Archive, archives: &[Archive]) -> Result<()> {
        self.boot(pause).await?;
        for archive in self.absent(archives).await? {
            self.import(archive).await?;
        }
        self.admit()
    }

    /// Whether it runs as wanted; if not, [`Node::boot`] starts it anew.
    pub fn is_booted(&self, pause: &Archive) -> Result<bool> {
        Ok(self.directory().join(BOOTED).exists() && self.daemon(pause)?.runs_as_wanted())
    }

    /// Starts its namespaces and containerd, without kubelet and service proxy: images can be imported after this.
    pub async fn boot(&self, pause: &Archive) -> Result<()> {
        if self.is_booted(pause)? {
            return Ok(());
        }
        self.kill().await?;
        node_files::write(&self.paths, self.number, &pause.reference)?;
        self.daemon(pause)?.ensure(&self.paths).await?;
        let init = self.wait_for_init().await?;
        let connected = network::connect(self.number, init).await;
        connected
            .with_context(|| format!("node {} cannot be connected; {}", self.name(), self.boot_logs()))?;
        self.wait_for_containerd().await?;
        self.mark(BOOTED)
    }

    /// Those images that are placed on it and that it does not have.
    pub async fn absent<'a>(&self, archives: &'a [Archive]) -> Result<Vec<&'a Archive>> {
        let present = self.images().await?;
        let here = |archive: &&Archive| self.holds_services() || archive.placement == Placement::EveryNode;
        let absent = |archive: &&Archive| !present.lines().any(|line| line == archive.reference);
        Ok(archives.iter().filter(here).filter(absent).collect())
    }

    /// Imports an image, whether the node has it or not.
    pub async fn import(&self, archive: &Archive) -> Result<()> {
        let file = archive.path.to_string_lossy();
        self.exec(["ctr", "-n", "k8s.io", "images", "import", &file])?
            .deadline(IMPORT_DEADLINE)
            .logged(&self.paths.log(&format!("{}-import", self.name())))
            .await
            .with_context(|| format!("{} cannot import {}", self.name(), archive.reference))
    }

    /// Removes the images that were made here and are not among `kept`.
    pub async fn forget_others(&self, kept: &[&str]) -> Result<()> {
        let images = self.images().await?;
        self.remove(others(&images, kept).collect()).await
    }

    /// Removes those of these images that it has.
    pub async fn forget(&self, archives: &[Archive]) -> Result<()> {
        let present = self.images().await?;
        let is_here = |reference: &&str| present.lines().any(|line| line == *reference);
        let here = archives.iter().map(|archive| archive.reference.as_str()).filter(is_here);
        self.remove(here.collect()).await
    }

    /// Removes images by these names and, so that their files go, by the ids that containerd has given them.
    async fn remove(&self, images: Vec<&str>) -> Result<()> {
        if images.is_empty() {
            return Ok(());
        }
        let table = self.exec(["ctr", "-n", "k8s.io", "images", "ls"])?.output().await?;
        let ids = nameless(&table, &images);
        let remove = ["ctr", "-n", "k8s.io", "images", "rm"];
        self.exec(remove)?.args(&images).args(ids).output().await.map(drop)
    }

    /// Gives an image that it has another name too, until the next `up`.
    pub async fn tag(&self, image: &str, alias: &str) -> Result<()> {
        self.exec(["ctr", "-n", "k8s.io", "images", "tag", "--force", image, alias])?.output().await.map(drop)
    }

    /// Lets kubelet and service proxy start, once the images are there.
    pub fn admit(&self) -> Result<()> {
        if self.admitted().is_some() { Ok(()) } else { self.mark(ADMITTED) }
    }

    /// When its kubelet was let start, in seconds since 1970.
    pub fn admitted(&self) -> Option<i64> {
        let written = fs::metadata(self.directory().join(ADMITTED)).ok()?.modified().ok()?;
        written.duration_since(UNIX_EPOCH).ok()?.as_secs().try_into().ok()
    }

    /// A program inside the node, not started yet.
    pub fn exec<S: AsRef<std::ffi::OsStr>>(&self, command: impl IntoIterator<Item = S>) -> Result<Run> {
        let init = self.init().with_context(|| format!("{} does not run", self.name()))?;
        let enter =
            ["--target", &init.to_string(), "--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup", "--"];
        Ok(Run::new("nsenter").args(enter).args(command))
    }

    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.init().is_some()
    }

    /// All processes of the node, its pods' included.
    pub fn processes(&self) -> Result<Vec<i32>> {
        Ok(cgroup::processes(&cgroup::hierarchies()?, &self.name()))
    }

    /// Ends it at once with all its pods, as a loss of power does. [`Node::start`] brings it back.
    pub async fn kill(&self) -> Result<()> {
        cgroup::end(&cgroup::hierarchies()?, &self.name()).await?;
        network::disconnect(self.number).await?;
        match fs::remove_dir_all(self.directory()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.directory().display()))
            }
            _ => Ok(()),
        }
    }

    /// The names of its images, one a line.
    async fn images(&self) -> Result<String> {
        self.exec(["ctr", "-n", "k8s.io", "images", "ls", "-q"])?.output().await
    }

    fn mark(&self, what: &str) -> Result<()> {
        let file = self.directory().join(what);
        fs::write(&file, "").with_context(|| format!("cannot write {}", file.display()))
    }

    fn daemon(&self, pause: &Archive) -> Result<Daemon> {
        const NAMESPACES: [&str; 10] = [
            "unshare",
            "--mount",
            "--net",
            "--uts",
            "--ipc",
            "--cgroup",
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "--",
        ];
        let script = ["bash", "-c", INIT, "node-init"];
        Ok(Daemon {
            part: self.name(),
            command: NAMESPACES.iter().chain(&script).map(|word| (*word).to_owned()).collect(),
            environment: self.environment(),
            configuration: node_files::all(&self.paths, self.number, &pause.reference)?,
            groups: cgroup::hierarchies()?,
        })
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let shown = |path: PathBuf| path.to_string_lossy().into_owned();
        let labels = if self.holds_services() { "vibetalk.dev/services=true" } else { "" };
        let hierarchies = cgroup::hierarchies().unwrap_or_default();
        let hierarchy = |one: &cgroup::Hierarchy| format!("{}={}", one.mount.display(), one.option);
        vec![
            ("NODE", self.name()),
            ("NODE_ADDRESS", network::node_address(self.number).to_string()),
            ("NODE_LABELS", labels.into()),
            ("NODE_DIRECTORY", shown(self.directory())),
            ("LOGS", shown(self.paths.logs())),
            ("KUBELET", shown(self.binaries.path(Tool::Kubelet))),
            ("KUBE_PROXY", shown(self.binaries.path(Tool::KubeProxy))),
            ("HIERARCHIES", hierarchies.iter().map(hierarchy).collect::<Vec<_>>().join("\n")),
        ]
    }

    /// Process 1 of the node as this machine numbers it.
    fn init(&self) -> Option<i32> {
        let is_init = |pid: &i32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            inner_pids(&status).is_some_and(|inner| inner == ["1"])
        };
        self.processes().ok()?.into_iter().find(is_init)
    }

    async fn wait_for_init(&self) -> Result<i32> {
        let deadline = Instant::now() + BOOT_DEADLINE;
        loop {
            if let Some(init) = self.init() {
                return Ok(init);
            }
            self.check(deadline).await?;
        }
    }

    async fn wait_for_containerd(&self) -> Result<()> {
        let deadline = Instant::now() + BOOT_DEADLINE;
        loop {
            if let Ok(version) = self.exec(["ctr", "--connect-timeout", "1s", "version"])
                && version.output().await.is_ok()
            {
                return Ok(());
            }
            self.check(deadline).await?;
        }
    }

    async fn check(&self, deadline: Instant) -> Result<()> {
        if self.processes()?.is_empty() || Instant::now() > deadline {
            bail!("node {} does not boot; {}", self.name(), self.boot_logs());
        }
        tokio::time::sleep(POLL).await;
        Ok(())
    }

    fn boot_logs(&self) -> String {
        let logs = [self.name(), format!("{}-containerd", self.name())].map(|part| self.paths.log(&part));
        logs.map(|log| tail(&log)).join("\n")
    }

    fn directory(&self) -> PathBuf {
        directory(&self.paths, self.number)
    }
}

/// Where a node keeps what is its own.
pub fn directory(paths: &Paths, node: u8) -> PathBuf {
    paths.state.join(format!("n{node}"))
}

/// The process's numbers in the process namespaces below this machine's.
fn inner_pids(status: &str) -> Option<Vec<&str>> {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    Some(line.split_whitespace().skip(1).collect())
}

/// The images of `present` that were made here and are not to be kept.
fn others<'a>(present: &'a str, kept: &[&str]) -> impl Iterator<Item = &'a str> {
    present.lines().filter(move |image| image.starts_with("localhost/") && !kept.contains(image))
}

/// The ids of those images of `ctr images ls` that have no name but `removed` ones.
fn nameless<'a>(table: &'a str, removed: &[&str]) -> Vec<&'a str> {
    let rows = table.lines().filter_map(|line| {
        let mut columns = line.split_whitespace();
        // Name, type, digest.
        columns.next().zip(columns.nth(1))
    });
    let (ids, names): (Vec<_>, Vec<_>) = rows.partition(|(name, _)| name.starts_with("sha256:"));
    let is_named =
        |digest: &str| names.iter().any(|(name, other)| *other == digest && !removed.contains(name));
    ids.into_iter().filter(|(_, digest)| !is_named(digest)).map(|(id, _)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_goes_by_its_id_too_unless_another_name_stays() {
        let table = "REF TYPE DIGEST SIZE\n\
                     localhost/a:1 oci sha256:01 9 MiB\n\
                     localhost/b:1 oci sha256:02 9 MiB\n\
                     localhost/b:2 oci sha256:02 9 MiB\n\
                     sha256:aa oci sha256:01 9 MiB\n\
                     sha256:bb oci sha256:02 9 MiB\n";
        assert_eq!(nameless(table, &["localhost/a:1", "localhost/b:1"]), ["sha256:aa"]);
        assert!(nameless(table, &[]).is_empty());
    }

    #[test]
    fn only_images_that_were_made_here_are_forgotten() {
        let present = "localhost/a:1\nlocalhost/a:2\nexample.org/b:1\nsha256:00\n";
        assert!(others(present, &["localhost/a:2"]).eq(["localhost/a:1"]));
    }

    #[test]
    fn the_init_of_a_node_is_told_from_its_parent_and_from_the_init_of_a_pod() {
        assert_eq!(inner_pids("Name:\tunshare\nNSpid:\t70\n"), Some(vec![]));
        assert_eq!(inner_pids("Name:\tbash\nNSpid:\t71\t1\n"), Some(vec!["1"]));
        assert_eq!(inner_pids("Name:\tpause\nNSpid:\t95\t24\t1\n"), Some(vec!["24", "1"]));
    }
}
