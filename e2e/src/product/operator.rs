//! The operator, by its chart.

use std::path::Path;

use anyhow::{Context, Result};

use super::{SYSTEM, Target, diagnosis};

/// Name of the Helm release, and so of the operator's Deployment.
pub const RELEASE: &str = "vibetalk-operator";

/// Installs the chart of the work tree, or upgrades the release to the target's images; back when the operator is ready.
pub async fn install(target: &Target, client: &kube::Client) -> Result<()> {
    install_chart(target, client, &target.paths.tree.join("charts/vibetalk-operator")).await
}

/// The same with the chart in a directory.
pub async fn install_chart(target: &Target, client: &kube::Client, chart: &Path) -> Result<()> {
    let (repository, tag) = split(&target.images.operator)?;
    let chart = chart.to_string_lossy().into_owned();
    let values = [
        format!("image.repository={repository}"),
        format!("image.tag={tag}"),
        format!("chatNode.image={}", target.images.chat_node),
    ];
    let mut args = vec!["upgrade", "--install", RELEASE, &chart, "--namespace", SYSTEM];
    args.extend(["--wait", "--timeout", "120s", "--history-max", "3"]);
    for value in &values {
        args.extend(["--set-string", value]);
    }
    let installed = target.helm(&args).logged(&target.paths.log("helm")).await;
    match installed {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(diagnosis::of_namespace(client, SYSTEM).await)),
    }
}

/// `repository:tag`.
fn split(image: &str) -> Result<(&str, &str)> {
    image
        .rsplit_once(':')
        .filter(|(_, tag)| !tag.contains('/'))
        .with_context(|| format!("the operator's image `{image}` has no tag"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_port_is_not_a_tag() {
        assert_eq!(split("localhost:5000/a/b:1").unwrap(), ("localhost:5000/a/b", "1"));
        assert!(split("localhost:5000/a/b").is_err());
    }
}
