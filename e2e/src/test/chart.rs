//! The chart tests: what Helm makes of the chart.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde::Deserialize;
use serde_json::{Value, json};

use super::case::{Case, case};
use crate::paths::Paths;
use crate::process::Run;
use crate::product::{SYSTEM, at_home};

/// Helm and the chart.
pub struct Chart {
    /// Where this program keeps its things.
    pub paths: Paths,
    /// The program.
    pub helm: PathBuf,
}

/// The tests.
pub const CASES: &[Case<Chart>] = &[
    case("helm lint finds nothing", 60, |chart| Box::pin(lint(chart))),
    case("unknown and malformed values are refused", 60, |chart| Box::pin(refused_values(chart))),
    case("the definition is installed unless switched off, and outlives the release", 60, |chart| {
        Box::pin(definition(chart))
    }),
    case("watched namespaces narrow the permissions to themselves", 60, |chart| Box::pin(narrowed(chart))),
    case("without watched namespaces one ClusterRole grants the same", 60, |chart| {
        Box::pin(everywhere(chart))
    }),
    case("secrets can be read by name only, and nothing is granted by a wildcard", 60, |chart| {
        Box::pin(least_privilege(chart))
    }),
    case("the operator's pod fits the restricted standard", 60, |chart| Box::pin(restricted_pod(chart))),
    case("images come from the values, or from the chart's version", 60, |chart| Box::pin(images(chart))),
];

impl Chart {
    fn run(&self, command: &str, settings: &[&str]) -> Run {
        let chart = self.paths.tree.join("charts/vibetalk-operator").to_string_lossy().into_owned();
        let mut args = match command {
            "template" => vec![command.to_owned(), "vibetalk-operator".to_owned(), chart],
            _ => vec![command.to_owned(), chart],
        };
        args.extend(["--namespace".to_owned(), SYSTEM.to_owned()]);
        for setting in settings {
            args.extend(["--set".to_owned(), (*setting).to_owned()]);
        }
        at_home(Run::new(&self.helm).args(args), &self.paths)
    }

    /// The objects that Helm would install.
    async fn objects(&self, settings: &[&str]) -> Result<Vec<Value>> {
        let text = self.run("template", settings).output().await?;
        let mut objects = Vec::new();
        for document in serde_yaml::Deserializer::from_str(&text) {
            let object = Value::deserialize(document).context("helm printed something else than YAML")?;
            if !object.is_null() {
                objects.push(object);
            }
        }
        Ok(objects)
    }
}

async fn lint(chart: Arc<Chart>) -> Result<()> {
    chart.run("lint", &[]).args(["--strict"]).output().await?;
    chart.run("lint", &["watchNamespaces={a,b}"]).args(["--strict"]).output().await?;
    Ok(())
}

async fn refused_values(chart: Arc<Chart>) -> Result<()> {
    let cases = [
        ("image.pullpolicy=Always", "pullpolicy"),
        ("watchnamespaces={a}", "watchnamespaces"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("watchNamespaces={Not_A_Name}", "watchNamespaces"),
        ("replicaCount=many", "replicaCount"),
    ];
    for (setting, named) in cases {
        let error = chart.run("template", &[setting]).output().await.err();
        let error = error.with_context(|| format!("`{setting}` was taken"))?.to_string();
        ensure!(error.contains(named), "the refusal of `{setting}` does not name it: {error}");
    }
    Ok(())
}

async fn definition(chart: Arc<Chart>) -> Result<()> {
    let objects = chart.objects(&[]).await?;
    let [rendered] = of_kind(&objects, "CustomResourceDefinition")[..] else { bail!("not one definition") };
    let parsed: CustomResourceDefinition = serde_json::from_value(rendered.clone())?;
    ensure!(parsed.spec == crds::yaml::definition().spec, "the chart's definition is not that of the types");
    let policy = &rendered["metadata"]["annotations"]["helm.sh/resource-policy"];
    ensure!(*policy == "keep", "the release would take the definition with it: {policy}");
    let without = chart.objects(&["crds.enabled=false"]).await?;
    ensure!(of_kind(&without, "CustomResourceDefinition").is_empty(), "crds.enabled=false installs it still");
    Ok(())
}

async fn narrowed(chart: Arc<Chart>) -> Result<()> {
    let objects = chart.objects(&["watchNamespaces={red,blue}"]).await?;
    for kind in ["ClusterRole", "ClusterRoleBinding"] {
        ensure!(of_kind(&objects, kind).is_empty(), "there is a {kind}");
    }
    for kind in ["Role", "RoleBinding"] {
        let mut places: Vec<&str> = of_kind(&objects, kind)
            .iter()
            .filter_map(|object| object["metadata"]["namespace"].as_str())
            .collect();
        places.sort_unstable();
        ensure!(places == ["blue", "red", SYSTEM], "{kind}s stand in {places:?}");
    }
    let own = of_kind(&objects, "Role").into_iter().find(|role| role["metadata"]["namespace"] == SYSTEM);
    let rules = own.context("no Role for the lease")?["rules"].as_array().context("no rules")?;
    ensure!(
        rules.iter().all(|rule| rule["resources"] == json!(["leases"])),
        "in its own namespace the operator may more than hold its lease: {rules:?}"
    );
    let told = environment(&objects, "VT_NAMESPACES")?;
    ensure!(told == "red,blue", "the operator is told to watch `{told}`");
    Ok(())
}

async fn everywhere(chart: Arc<Chart>) -> Result<()> {
    let wide = chart.objects(&[]).await?;
    let narrow = chart.objects(&["watchNamespaces={red}"]).await?;
    let [cluster_role] = of_kind(&wide, "ClusterRole")[..] else { bail!("not one ClusterRole") };
    let role = of_kind(&narrow, "Role").into_iter().find(|role| role["metadata"]["namespace"] == "red");
    ensure!(role.context("no Role in red")?["rules"] == cluster_role["rules"], "the rules differ");
    ensure!(environment(&wide, "VT_NAMESPACES")?.is_empty(), "the operator is told to watch some namespaces");
    for binding in of_kind(&wide, "ClusterRoleBinding").iter().chain(&of_kind(&wide, "RoleBinding")) {
        let subject = &binding["subjects"][0];
        ensure!(
            subject["namespace"] == SYSTEM && subject["name"] == "vibetalk-operator",
            "it binds {subject}"
        );
    }
    Ok(())
}

async fn least_privilege(chart: Arc<Chart>) -> Result<()> {
    let objects = chart.objects(&["watchNamespaces={red}"]).await?;
    let roles = of_kind(&objects, "Role");
    let rules: Vec<&Value> = roles.iter().filter_map(|role| role["rules"].as_array()).flatten().collect();
    ensure!(!rules.is_empty(), "no rules at all");
    for rule in &rules {
        let words = [&rule["apiGroups"], &rule["resources"], &rule["verbs"]];
        let wildcard = words.iter().filter_map(|list| list.as_array()).flatten().any(|word| *word == "*");
        ensure!(!wildcard, "a wildcard: {rule}");
    }
    let about_secrets: Vec<&Value> = rules
        .into_iter()
        .filter(|rule| rule["resources"].as_array().is_some_and(|list| list.contains(&json!("secrets"))))
        .collect();
    let [secrets] = about_secrets[..] else { bail!("rules about secrets: {about_secrets:?}") };
    ensure!(secrets["verbs"] == json!(["get"]), "secrets: {}", secrets["verbs"]);
    Ok(())
}

async fn restricted_pod(chart: Arc<Chart>) -> Result<()> {
    let objects = chart.objects(&[]).await?;
    let pod = pod(&objects)?;
    let context = &pod["securityContext"];
    ensure!(context["runAsNonRoot"] == true && context["runAsUser"] == 65_532, "it runs as {context}");
    ensure!(context["seccompProfile"]["type"] == "RuntimeDefault", "no seccomp profile");
    let container = &pod["containers"][0];
    let context = &container["securityContext"];
    ensure!(context["readOnlyRootFilesystem"] == true, "the root file system is writable");
    ensure!(context["allowPrivilegeEscalation"] == false, "it may gain privileges");
    ensure!(context["capabilities"]["drop"] == json!(["ALL"]), "it keeps capabilities");
    for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        ensure!(container[probe]["httpGet"]["path"] == path, "the {probe} is {}", container[probe]);
    }
    Ok(())
}

async fn images(chart: Arc<Chart>) -> Result<()> {
    let objects = chart.objects(&[]).await?;
    let version = env!("CARGO_PKG_VERSION");
    let image = pod(&objects)?["containers"][0]["image"].clone();
    ensure!(image == format!("ghcr.io/vibetalk/vibetalk-operator:{version}"), "the image is {image}");
    let node = environment(&objects, "VT_CHAT_NODE_IMAGE")?;
    ensure!(node == format!("ghcr.io/vibetalk/chat-node:{version}"), "the chat node's image is {node}");
    let settings = ["image.repository=localhost/o", "image.tag=abc", "chatNode.image=localhost/c:def"];
    let objects = chart.objects(&settings).await?;
    ensure!(pod(&objects)?["containers"][0]["image"] == "localhost/o:abc", "the operator's image is ignored");
    let node = environment(&objects, "VT_CHAT_NODE_IMAGE")?;
    ensure!(node == "localhost/c:def", "the chat node's image is {node}");
    Ok(())
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn pod(objects: &[Value]) -> Result<&Value> {
    let [deployment] = of_kind(objects, "Deployment")[..] else { bail!("not one Deployment") };
    Ok(&deployment["spec"]["template"]["spec"])
}

fn environment(objects: &[Value], name: &str) -> Result<String> {
    let variables = pod(objects)?["containers"][0]["env"].as_array().context("no environment")?;
    let variable = variables.iter().find(|variable| variable["name"] == name);
    let value = variable.with_context(|| format!("no variable {name}"))?["value"].as_str();
    Ok(value.unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_chart_has_the_definition_that_the_types_generate() {
        let tree = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let read = |path: &str| std::fs::read_to_string(tree.join(path)).unwrap();
        assert!(
            read("crds/vibetalkclusters.yaml")
                == read("charts/vibetalk-operator/files/vibetalkclusters.yaml"),
            "cp crds/vibetalkclusters.yaml charts/vibetalk-operator/files/"
        );
    }
}
