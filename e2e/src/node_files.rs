//! The configuration files of a node.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::network;
use crate::node;
use crate::paths::Paths;
use crate::pki;
use crate::template::fill;

/// Each template with the file that it becomes, below the node's directory.
const TEMPLATES: [(&str, &str); 4] = [
    ("etc/containerd.toml", include_str!("../templates/containerd.toml")),
    ("etc/kubelet.yaml", include_str!("../templates/kubelet.yaml")),
    ("etc/proxy.yaml", include_str!("../templates/proxy.yaml")),
    ("etc/cni/10-pods.conflist", include_str!("../templates/cni.conflist")),
];

/// Writes the files of node `number` into its directory; `pause` is the image of the pods' sandbox.
pub fn write(paths: &Paths, number: u8, pause: &str) -> Result<()> {
    let directory = node::directory(paths, number);
    for (file, text) in rendered(paths, number, pause)? {
        let path = directory.join(file);
        let parent: PathBuf = path.parent().map(Into::into).unwrap_or_default();
        fs::create_dir_all(&parent).with_context(|| format!("cannot make {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    // The cluster's name server asks nobody outside: no name server to inherit.
    fs::write(directory.join("etc/resolv.conf"), "").context("cannot write resolv.conf")
}

/// The text of all files, to tell whether a running node has others.
pub fn all(paths: &Paths, number: u8, pause: &str) -> Result<String> {
    Ok(rendered(paths, number, pause)?.into_iter().map(|(_, text)| text).collect())
}

fn rendered(paths: &Paths, number: u8, pause: &str) -> Result<Vec<(&'static str, String)>> {
    let values = [
        ("NODE", format!("n{number}")),
        ("NODE_PODS", network::node_pods(number)),
        ("PODS", network::PODS.to_owned()),
        ("DNS", network::NAME_SERVICE.to_string()),
        ("DIRECTORY", node::directory(paths, number).to_string_lossy().into_owned()),
        ("PKI", pki::directory(paths).to_string_lossy().into_owned()),
        ("PAUSE", pause.to_owned()),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    TEMPLATES.iter().map(|(file, text)| Ok((*file, fill(text, &values)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_its_own_pod_network_and_certificate() {
        let paths = Paths { tree: "/t".into(), cache: "/c".into(), state: "/s".into() };
        let text = all(&paths, 3, "localhost/pause:1").unwrap();
        assert!(text.contains("10.244.3.0/24"));
        assert!(text.contains("/s/pki/n3.crt"));
        assert!(text.contains("sandbox_image = \"localhost/pause:1\""));
    }
}
