//! The control plane: etcd, API server, controllers and scheduler, as processes of this machine.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::{try_join, try_join_all};

use crate::binaries::Binaries;
use crate::cgroup;
use crate::daemon::Daemon;
use crate::network::{HOST, SERVICES};
use crate::paths::Paths;
use crate::pki;
use crate::progress::Progress;
use crate::tool::Tool;

const ETCD: &str = "http://127.0.0.1:23790";
const ETCD_PEER: &str = "http://127.0.0.1:23800";
const AUDIT_POLICY: &str = include_str!("../templates/audit.yaml");
const PATIENCE: Duration = Duration::from_secs(90);

/// The processes of the control plane.
#[derive(Debug)]
pub struct ControlPlane {
    etcd: Daemon,
    api_server: Daemon,
    /// These end at once when the API server has not made its first roles yet.
    followers: [Daemon; 2],
}

impl ControlPlane {
    /// The control plane of this state directory, running or not.
    pub fn new(paths: &Paths, binaries: &Binaries) -> Result<Self> {
        let place = Place { paths, pki: pki::directory(paths) };
        let hierarchies = cgroup::hierarchies()?;
        let groups: Vec<_> = hierarchies.into_iter().filter(|one| one.has("pids")).collect();
        let daemon = |tool: Tool, args: Vec<String>, configuration: &str| Daemon {
            part: tool.name().into(),
            command: [vec![binaries.path(tool).to_string_lossy().into_owned()], args].concat(),
            environment: Vec::new(),
            configuration: configuration.into(),
            groups: groups.clone(),
        };
        Ok(Self {
            etcd: daemon(Tool::Etcd, place.etcd(), ""),
            api_server: daemon(Tool::KubeApiserver, place.api_server(), AUDIT_POLICY),
            followers: [
                daemon(Tool::KubeControllerManager, place.controller_manager(), ""),
                daemon(Tool::KubeScheduler, place.scheduler(), ""),
            ],
        })
    }

    /// Starts what does not run as wanted and waits until the API server is ready.
    pub async fn ensure(&self, paths: &Paths, progress: &Progress) -> Result<()> {
        if self.daemons().all(Daemon::runs_as_wanted) && ready_once(paths).await {
            return Ok(());
        }
        progress.step("start the control plane", self.start(paths)).await
    }

    /// All parts, in the order in which they start.
    pub fn daemons(&self) -> impl Iterator<Item = &Daemon> {
        [&self.etcd, &self.api_server].into_iter().chain(&self.followers)
    }

    /// Whether any of its parts runs, as wanted or not.
    pub fn any_runs(&self) -> bool {
        self.daemons().any(|daemon| !daemon.processes().is_empty())
    }

    async fn start(&self, paths: &Paths) -> Result<()> {
        let data = paths.state.join("etcd");
        fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
        fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        fs::write(audit_policy(paths), AUDIT_POLICY).context("cannot write the audit policy")?;
        self.etcd.ensure(paths).await?;
        self.api_server.ensure(paths).await?;
        let client = client(paths)?;
        // Both at once: an API server without its store takes long to say so.
        let store =
            self.etcd.until(paths, PATIENCE, async || answers(&client, &format!("{ETCD}/health")).await);
        let api_server = self.api_server.until(paths, PATIENCE, async || ready(&client).await);
        try_join(store, api_server).await?;
        try_join_all(self.followers.iter().map(|daemon| daemon.ensure(paths))).await.map(drop)
    }
}

/// Where the API server writes who wrote what, one JSON object a line.
pub fn audit_log(paths: &Paths) -> PathBuf {
    paths.log("audit")
}

fn audit_policy(paths: &Paths) -> PathBuf {
    paths.state.join("audit.yaml")
}

/// What the arguments refer to.
struct Place<'a> {
    paths: &'a Paths,
    pki: PathBuf,
}

impl Place<'_> {
    fn etcd(&self) -> Vec<String> {
        flags(&[
            ("name", &"vibetalk"),
            ("data-dir", &shown(&self.paths.state.join("etcd"))),
            // A cluster for tests may be lost with the machine; a write that waits for the disk is ten times slower.
            ("unsafe-no-fsync", &true),
            ("quota-backend-bytes", &(1_u64 << 30)),
            ("listen-client-urls", &ETCD),
            ("advertise-client-urls", &ETCD),
            ("listen-peer-urls", &ETCD_PEER),
            ("initial-advertise-peer-urls", &ETCD_PEER),
            ("initial-cluster", &format!("vibetalk={ETCD_PEER}")),
        ])
    }

    fn api_server(&self) -> Vec<String> {
        flags(&[
            ("etcd-servers", &ETCD),
            ("bind-address", &HOST),
            ("advertise-address", &HOST),
            ("secure-port", &6443),
            ("service-cluster-ip-range", &SERVICES),
            ("tls-cert-file", &self.pki("apiserver.crt")),
            ("tls-private-key-file", &self.pki("apiserver.key")),
            ("client-ca-file", &self.pki("ca.crt")),
            ("kubelet-client-certificate", &self.pki("apiserver-kubelet-client.crt")),
            ("kubelet-client-key", &self.pki("apiserver-kubelet-client.key")),
            ("kubelet-certificate-authority", &self.pki("ca.crt")),
            ("kubelet-preferred-address-types", &"InternalIP"),
            ("service-account-issuer", &"https://kubernetes.default.svc.cluster.local"),
            ("service-account-key-file", &self.pki("service-accounts.pub")),
            ("service-account-signing-key-file", &self.pki("service-accounts.key")),
            ("requestheader-client-ca-file", &self.pki("front-proxy-ca.crt")),
            ("requestheader-allowed-names", &"front-proxy-client"),
            ("requestheader-username-headers", &"X-Remote-User"),
            ("requestheader-group-headers", &"X-Remote-Group"),
            ("requestheader-extra-headers-prefix", &"X-Remote-Extra-"),
            ("proxy-client-cert-file", &self.pki("front-proxy-client.crt")),
            ("proxy-client-key-file", &self.pki("front-proxy-client.key")),
            // No service proxy on this machine: the API server reaches metrics APIs and webhooks by their pods.
            ("enable-aggregator-routing", &true),
            ("authorization-mode", &"Node,RBAC"),
            ("enable-admission-plugins", &"NodeRestriction"),
            ("allow-privileged", &true),
            ("audit-policy-file", &shown(&audit_policy(self.paths))),
            ("audit-log-path", &shown(&audit_log(self.paths))),
            ("audit-log-maxsize", &200),
            ("audit-log-maxbackup", &1),
            ("profiling", &false),
            ("v", &1),
        ])
    }

    /// Lost nodes and changes of load are to be acted upon in seconds.
    fn controller_manager(&self) -> Vec<String> {
        let config = self.pki("kube-controller-manager.kubeconfig");
        flags(&[
            ("kubeconfig", &config),
            ("authentication-kubeconfig", &config),
            ("authorization-kubeconfig", &config),
            ("use-service-account-credentials", &true),
            ("service-account-private-key-file", &self.pki("service-accounts.key")),
            ("root-ca-file", &self.pki("ca.crt")),
            ("cluster-signing-cert-file", &self.pki("ca.crt")),
            ("cluster-signing-key-file", &self.pki("ca.key")),
            ("leader-elect", &false),
            ("bind-address", &Ipv4Addr::LOCALHOST),
            // Each controller fetches an account of its own at the start: at the default rate that takes four seconds.
            ("kube-api-qps", &200),
            ("kube-api-burst", &400),
            ("allocate-node-cidrs", &false),
            ("node-monitor-period", &"2s"),
            ("node-monitor-grace-period", &"16s"),
            ("horizontal-pod-autoscaler-sync-period", &"5s"),
            ("horizontal-pod-autoscaler-downscale-stabilization", &"15s"),
            ("horizontal-pod-autoscaler-cpu-initialization-period", &"10s"),
            ("horizontal-pod-autoscaler-initial-readiness-delay", &"5s"),
            // Its own place is in the system's directories.
            ("flex-volume-plugin-dir", &shown(&self.paths.state.join("volume-plugins"))),
            ("v", &1),
        ])
    }

    fn scheduler(&self) -> Vec<String> {
        let config = self.pki("kube-scheduler.kubeconfig");
        flags(&[
            ("kubeconfig", &config),
            ("authentication-kubeconfig", &config),
            ("authorization-kubeconfig", &config),
            ("leader-elect", &false),
            ("bind-address", &Ipv4Addr::LOCALHOST),
            ("v", &1),
        ])
    }

    fn pki(&self, file: &str) -> String {
        shown(&self.pki.join(file))
    }
}

fn flags(flags: &[(&str, &dyn std::fmt::Display)]) -> Vec<String> {
    flags.iter().map(|(name, value)| format!("--{name}={value}")).collect()
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

async fn ready_once(paths: &Paths) -> bool {
    match client(paths) {
        Ok(client) => ready(&client).await,
        Err(_) => false,
    }
}

/// Anybody may ask for the readiness, but only once the first roles are made: so that is known too.
async fn ready(client: &reqwest::Client) -> bool {
    answers(client, &format!("https://{HOST}:6443/readyz")).await
}

async fn answers(client: &reqwest::Client, url: &str) -> bool {
    client.get(url).send().await.is_ok_and(|answer| answer.status().is_success())
}

fn client(paths: &Paths) -> Result<reqwest::Client> {
    let file = pki::directory(paths).join("ca.crt");
    let pem = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let authority = reqwest::Certificate::from_pem(&pem)?;
    let client = reqwest::Client::builder().tls_certs_only([authority]).no_proxy();
    Ok(client.timeout(Duration::from_secs(2)).build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_server_listens_for_the_nodes_only_and_checks_every_right() {
        let paths = Paths { tree: "/t".into(), cache: "/c".into(), state: "/s".into() };
        let args = Place { paths: &paths, pki: "/s/pki".into() }.api_server();
        assert!(args.contains(&"--bind-address=10.89.0.1".into()));
        assert!(args.contains(&"--authorization-mode=Node,RBAC".into()));
        assert!(args.contains(&"--audit-log-path=/s/log/audit.log".into()));
    }
}
