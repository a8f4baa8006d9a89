//! The programs that are built from Go modules.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A program that is built from a Go module pinned in `e2e/modules`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tool {
    /// The cluster's store.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// The controllers.
    KubeControllerManager,
    /// The scheduler.
    KubeScheduler,
    /// The node agent.
    Kubelet,
    /// The node's service proxy.
    KubeProxy,
    /// The command line client.
    Kubectl,
    /// The cluster's name server.
    Coredns,
    /// The chart installer.
    Helm,
    /// The resource metrics API.
    MetricsServer,
    /// The community ingress controller.
    IngressNginx,
    /// The MongoDB protocol in front of PostgreSQL.
    Ferretdb,
    /// Collects what pods measure.
    Prometheus,
    /// Gives the autoscaler what Prometheus has collected.
    PrometheusAdapter,
    /// Runs load scripts.
    K6,
}

impl Tool {
    /// Those of the cluster, what is needed first before the rest.
    pub const CLUSTER: [Self; 12] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::Kubectl,
        Self::KubeControllerManager,
        Self::KubeScheduler,
        Self::Kubelet,
        Self::KubeProxy,
        Self::Ferretdb,
        Self::Coredns,
        Self::Helm,
        Self::MetricsServer,
        Self::IngressNginx,
    ];
    /// Those of [`crate::monitoring`].
    pub const MONITORING: [Self; 2] = [Self::Prometheus, Self::PrometheusAdapter];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::CLUSTER.into_iter().chain(Self::MONITORING).chain([Self::K6])
    }

    /// The file name of the program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::Kubectl => "kubectl",
            Self::Coredns => "coredns",
            Self::Helm => "helm",
            Self::MetricsServer => "metrics-server",
            Self::IngressNginx => "nginx-ingress-controller",
            Self::Ferretdb => "ferretdb",
            Self::Prometheus => "prometheus",
            Self::PrometheusAdapter => "prometheus-adapter",
            Self::K6 => "k6",
        }
    }

    /// The module that pins its version.
    pub fn module(self) -> Module {
        match self {
            Self::MetricsServer | Self::Prometheus => Module::Addons,
            Self::PrometheusAdapter => Module::Adapter,
            Self::IngressNginx => Module::Ingress,
            Self::Ferretdb => Module::Store,
            Self::K6 => Module::K6,
            _ => Module::Cluster,
        }
    }

    /// The Go package to build.
    pub fn package(self) -> String {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3".into(),
            Self::Coredns => "github.com/coredns/coredns".into(),
            Self::Helm => "helm.sh/helm/v4/cmd/helm".into(),
            Self::MetricsServer => "sigs.k8s.io/metrics-server/cmd/metrics-server".into(),
            Self::IngressNginx => "k8s.io/ingress-nginx/cmd/nginx".into(),
            Self::Ferretdb => "github.com/FerretDB/FerretDB/v2/cmd/ferretdb".into(),
            Self::Prometheus => "github.com/prometheus/prometheus/cmd/prometheus".into(),
            Self::PrometheusAdapter => "sigs.k8s.io/prometheus-adapter/cmd/adapter".into(),
            Self::K6 => "go.k6.io/k6".into(),
            kubernetes => format!("k8s.io/kubernetes/cmd/{}", kubernetes.name()),
        }
    }

    /// The build tags.
    pub fn tags(self) -> &'static str {
        match self {
            // Of the ways to find what is to be asked, only Kubernetes': the others come with every cloud's library.
            Self::Prometheus => "remove_all_sd,enable_kubernetes_sd",
            _ => "",
        }
    }

    /// What the linker writes into the program: no symbols, and its version where the program asks for one.
    pub fn linker_flags(self, go_mod: &str) -> Result<String> {
        let strip = "-s -w";
        if self.package().starts_with("k8s.io/kubernetes/") {
            let version = required_version(go_mod, "k8s.io/kubernetes")?;
            let mut numbers = version.trim_start_matches('v').split('.');
            let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
            let at = "k8s.io/component-base/version";
            return Ok(format!(
                "{strip} -X {at}.gitVersion={version} -X {at}.gitMajor={major} -X {at}.gitMinor={minor}"
            ));
        }
        Ok(match self {
            Self::IngressNginx => format!("{strip} -X k8s.io/ingress-nginx/version.RELEASE=module"),
            _ => strip.into(),
        })
    }
}

/// A Go module below `e2e/modules`. There are several because their dependencies do not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Module {
    /// etcd, Kubernetes, CoreDNS and Helm.
    Cluster,
    /// metrics-server and Prometheus.
    Addons,
    /// prometheus-adapter: newer libraries of Prometheus write its time limits in a way that Prometheus refuses. All else
    /// is as in [`Self::Ingress`], so that most of it is compiled once.
    Adapter,
    /// The ingress controller.
    Ingress,
    /// FerretDB.
    Store,
    /// k6.
    K6,
}

impl Module {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Cluster, Self::Addons, Self::Adapter, Self::Ingress, Self::Store, Self::K6];

    /// Its directory's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Addons => "addons",
            Self::Adapter => "adapter",
            Self::Ingress => "ingress",
            Self::Store => "store",
            Self::K6 => "k6",
        }
    }

    /// Its directory in the work tree.
    pub fn directory(self, tree: &Path) -> PathBuf {
        tree.join("e2e/modules").join(self.name())
    }

    /// Its `go.mod`.
    pub fn go_mod(self, tree: &Path) -> Result<String> {
        read(&self.directory(tree).join("go.mod"))
    }

    /// Names what its programs are built from: `<module>-<first 16 hex of SHA-256(go.mod ++ go.sum ++ tags)>`.
    pub fn key(self, tree: &Path) -> Result<String> {
        let sums = read(&self.directory(tree).join("go.sum"))?;
        let digest = Sha256::new().chain_update(self.go_mod(tree)?).chain_update(sums);
        let own = Tool::all().filter(|tool| tool.module() == self);
        let digest = own.fold(digest, |digest, tool| digest.chain_update(tool.tags())).finalize();
        let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("{}-{hex}", self.name()))
    }
}

/// The version of `module` that `go_mod` requires.
fn required_version<'a>(go_mod: &'a str, module: &str) -> Result<&'a str> {
    let version = |line: &'a str| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        (words.next() == Some(module)).then(|| words.next()).flatten()
    };
    go_mod.lines().find_map(version).with_context(|| format!("go.mod requires no {module}"))
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO_MOD: &str =
        "module x\n\nrequire (\n\tk8s.io/kubernetes-not v0.1.0\n\tk8s.io/kubernetes v1.35.4 // indirect\n)\n";

    #[test]
    fn kubernetes_programs_carry_the_version_that_go_mod_pins() {
        let flags = Tool::Kubelet.linker_flags(GO_MOD).unwrap();
        assert!(flags.contains("gitVersion=v1.35.4 "), "{flags}");
        assert!(flags.contains("gitMajor=1 "), "{flags}");
        assert!(flags.ends_with("gitMinor=35"), "{flags}");
    }

    #[test]
    fn a_module_that_is_not_required_is_named_in_the_error() {
        let error = required_version("module x\n", "k8s.io/kubernetes").unwrap_err();
        assert!(error.to_string().contains("k8s.io/kubernetes"));
    }

    #[test]
    fn every_program_is_listed_and_named_once() {
        let names: std::collections::BTreeSet<_> = Tool::all().map(Tool::name).collect();
        assert_eq!(names.len(), Tool::all().count());
    }
}
