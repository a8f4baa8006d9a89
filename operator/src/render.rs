//! Prints what a resource becomes, without a cluster: for reviews, for GitOps diffs, and for the curious.

use std::fs;
use std::io::{Read, stdin};
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::args;
use crate::cluster::{Cluster, RawCluster};
use crate::resources::{self, Blueprint};

/// Stands for the digest of Secrets that are not read here.
const UNREAD_CREDENTIALS: &str = "not-read";

/// The objects as YAML documents.
///
/// # Errors
/// If the file cannot be read or is no valid `VibeTalkCluster`.
pub fn render(args: &args::Render) -> anyhow::Result<String> {
    let text = read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let raw: RawCluster = serde_yaml::from_str(&text)
        .with_context(|| format!("{} is no VibeTalkCluster", args.file.display()))?;
    let documents = objects(raw, &args.defaults)?;
    let mut text = String::new();
    for document in documents {
        text.push_str("---\n");
        text.push_str(&serde_yaml::to_string(&document)?);
    }
    Ok(text)
}

fn read(file: &Path) -> std::io::Result<String> {
    if file.as_os_str() != "-" {
        return fs::read_to_string(file);
    }
    let mut text = String::new();
    stdin().read_to_string(&mut text)?;
    Ok(text)
}

fn objects(mut raw: RawCluster, defaults: &args::Defaults) -> anyhow::Result<Vec<Value>> {
    raw.metadata.namespace.get_or_insert_with(|| "default".to_owned());
    // Only the API server gives one; owner references are left out below.
    raw.metadata.uid = Some(String::new());
    let cluster = Cluster::parse(&raw, defaults)?;
    let spec = cluster.spec.as_ref().map_err(Clone::clone)?;
    let blueprint = Blueprint {
        cluster: &cluster,
        spec,
        replicas: spec.wanted_replicas(),
        credentials: Some(UNREAD_CREDENTIALS),
    };
    let bodies = resources::build(&blueprint).into_iter().map(|object| without_owner(object.body));
    Ok(bodies.collect())
}

fn without_owner(mut body: Value) -> Value {
    if let Some(metadata) = body["metadata"].as_object_mut() {
        metadata.remove("ownerReferences");
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn the_example_becomes_its_objects() {
        let example = include_str!("../../crds/examples/demo.yaml");
        let raw: RawCluster = serde_yaml::from_str(example).unwrap();
        let objects = objects(raw, &fixture::defaults()).unwrap();
        let kinds: Vec<_> = objects.iter().filter_map(|object| object["kind"].as_str()).collect();
        assert_eq!(kinds, ["ServiceAccount", "ConfigMap", "Service", "Deployment", "Ingress"]);
        assert!(objects.iter().all(|object| object["metadata"]["ownerReferences"].is_null()));
    }

    #[test]
    fn a_bad_spec_is_refused_by_its_field() {
        let mut raw = fixture::raw_cluster();
        raw.spec["rabbitmq"]["partitions"] = "many".into();
        let error = objects(raw, &fixture::defaults()).unwrap_err();
        assert!(error.to_string().starts_with("spec.rabbitmq.partitions:"), "{error}");
    }
}
