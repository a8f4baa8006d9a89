//! Prints what a resource becomes, without a cluster: for reviews, for GitOps diffs, and for the curious.

use std::fmt::Write;
use std::fs;
use std::io::{Read, stdin};
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::args;
use crate::cluster::{Cluster, RawCluster};
use crate::decide::{exchanges, first_order};
use crate::rabbitmq::Exchange;
use crate::resources::{self, Blueprint};

/// Stands for the digest of Secrets that are not read here.
const UNREAD_CREDENTIALS: &str = "not-read";
/// Stand for the ports of broker and store that such Secrets name.
const USUAL_PORTS: [u16; 2] = [5_672, 27_017];

/// The exchanges in a comment, and the objects as YAML documents.
///
/// # Errors
/// If the file cannot be read or is no valid `VibeTalkCluster`.
pub fn render(args: &args::Render) -> anyhow::Result<String> {
    let text = read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let raw: RawCluster = serde_yaml::from_str(&text)
        .with_context(|| format!("{} is no VibeTalkCluster", args.file.display()))?;
    let rendered = Rendered::of(raw, &args.defaults)?;
    let mut text = String::from("# Exchanges in the broker:\n");
    for Exchange { name, kind, .. } in rendered.exchanges {
        let _ = writeln!(text, "#   {name} ({kind})");
    }
    for object in rendered.objects {
        text.push_str("---\n");
        text.push_str(&serde_yaml::to_string(&object)?);
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

struct Rendered {
    exchanges: Vec<Exchange>,
    objects: Vec<Value>,
}

impl Rendered {
    fn of(mut raw: RawCluster, defaults: &args::Defaults) -> anyhow::Result<Self> {
        raw.metadata.namespace.get_or_insert_with(|| "default".to_owned());
        // Only the API server gives one; owner references are left out below.
        raw.metadata.uid = Some(String::new());
        let cluster = Cluster::parse(&raw, defaults)?;
        let spec = cluster.spec.as_ref().map_err(Clone::clone)?;
        let order = first_order(spec);
        let blueprint = Blueprint {
            cluster: &cluster,
            spec,
            order: &order,
            highest_epoch: order.publish,
            replicas: spec.wanted_replicas(),
            credentials: Some(UNREAD_CREDENTIALS),
            ports: Some(&USUAL_PORTS.into()),
        };
        let bodies = resources::build(&blueprint).into_iter().map(|object| without_owner(object.body));
        Ok(Self { exchanges: exchanges(&cluster, spec), objects: bodies.collect() })
    }
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
        let rendered = Rendered::of(raw, &fixture::defaults()).unwrap();
        let kinds: Vec<_> = rendered.objects.iter().filter_map(|object| object["kind"].as_str()).collect();
        let pods = ["NetworkPolicy", "Deployment", "PodDisruptionBudget"];
        assert_eq!(kinds, [&["ServiceAccount", "ConfigMap", "Service"], &pods[..], &["Ingress"]].concat());
        assert_eq!(rendered.exchanges.len(), 5);
        assert!(rendered.objects.iter().all(|object| object["metadata"]["ownerReferences"].is_null()));
    }

    #[test]
    fn a_bad_spec_is_refused_by_its_field() {
        let mut raw = fixture::raw_cluster();
        raw.spec["rabbitmq"]["partitions"] = "many".into();
        let error = Rendered::of(raw, &fixture::defaults()).err().unwrap();
        assert!(error.to_string().starts_with("spec.rabbitmq.partitions:"), "{error}");
    }
}
