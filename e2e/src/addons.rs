//! What a Kubernetes needs beside its own programs: names, metrics, a way in.

use anyhow::Result;
use futures::future::try_join_all;

use crate::archive::Archive;
use crate::cluster::Local;
use crate::workload::Workload;

const ADDONS: [Workload; 3] = [
    Workload {
        name: "coredns",
        namespace: "kube-system",
        deployment: "coredns",
        manifest: include_str!("../manifests/coredns.yaml"),
        images: &["coredns"],
    },
    Workload {
        name: "metrics-server",
        namespace: "kube-system",
        deployment: "metrics-server",
        manifest: include_str!("../manifests/metrics-server.yaml"),
        images: &["metrics-server"],
    },
    Workload {
        name: "ingress-nginx",
        namespace: "ingress-nginx",
        deployment: "ingress-nginx-controller",
        manifest: include_str!("../manifests/ingress-nginx.yaml"),
        images: &["ingress-nginx"],
    },
];

/// Brings CoreDNS, metrics-server and the ingress controller up, or what changed of them.
pub async fn ensure(local: &Local, archives: &[Archive]) -> Result<()> {
    try_join_all(ADDONS.iter().map(|addon| addon.ensure(local, archives, &[]))).await.map(drop)
}
