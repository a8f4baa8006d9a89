//! Prometheus and prometheus-adapter, by which the autoscaler sees how many clients a chat node has. They come with
//! the test of it and go after it: their images take 250 MiB of a node's memory and they themselves another 150.

use anyhow::Result;

use crate::archive::Archive;
use crate::binaries;
use crate::cluster::Local;
use crate::images;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::tool::Tool;
use crate::workload::Workload;

const PROMETHEUS: Workload = Workload {
    name: "prometheus",
    namespace: "monitoring",
    deployment: "prometheus",
    manifest: include_str!("../manifests/prometheus.yaml"),
    images: &["prometheus"],
};
const ADAPTER: Workload = Workload {
    name: "prometheus-adapter",
    namespace: "monitoring",
    deployment: "prometheus-adapter",
    manifest: include_str!("../manifests/prometheus-adapter.yaml"),
    images: &["prometheus-adapter"],
};

/// Makes the images, if they are not there yet: the first time that takes minutes.
pub async fn prepare(paths: &Paths, progress: &Progress) -> Result<[Archive; 2]> {
    let binaries = binaries::ensure(paths, progress, &Tool::MONITORING).await?;
    images::monitoring(paths, progress, &binaries).await
}

/// Brings both up, or what changed of them.
pub async fn ensure(local: &Local) -> Result<()> {
    let progress = Progress::start();
    let archives = prepare(&local.paths, &progress).await?;
    local.import(&progress, &archives).await?;
    PROMETHEUS.ensure(local, &archives, &[]).await?;
    ADAPTER.ensure(local, &archives, &[]).await
}

/// Removes both, and their images from the nodes. Nothing if they are not there.
pub async fn remove(local: &Local) -> Result<()> {
    // An API whose server is gone holds up the end of every namespace, so it goes first.
    ADAPTER.remove(local).await?;
    PROMETHEUS.remove(local).await?;
    local.forget(&prepare(&local.paths, &Progress::start()).await?).await
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde::Deserialize;
    use serde_yaml::Value;

    use super::*;

    const MANUAL: &str = include_str!("../../chat-node/METRICS.md");

    #[test]
    fn the_manual_has_the_adapters_rule_that_is_tested() {
        let objects = serde_yaml::Deserializer::from_str(ADAPTER.manifest).map(Value::deserialize);
        let mut objects = objects.map(Result::unwrap);
        let map = objects.find(|object| object["kind"] == "ConfigMap").unwrap();
        let map: ConfigMap = serde_yaml::from_value(map).unwrap();
        let tested: Value = serde_yaml::from_str(&map.data.unwrap()["config.yaml"]).unwrap();
        let (_, block) = MANUAL.split_once("```yaml\n").unwrap();
        let shown: Value = serde_yaml::from_str(block.split_once("```").unwrap().0).unwrap();
        assert_eq!(shown, tested);
    }
}
