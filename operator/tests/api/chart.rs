//! The chart: what Helm makes of it, against the API server's own schemas. Needs `helm` beside the API server.

use std::env;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::core::ObjectMeta;
use kube::{Client, ResourceExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::namespace::Namespace;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/vibetalk-operator");
/// Kinds that belong to no namespace.
const OF_THE_CLUSTER: [&str; 3] = ["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"];

fn helm() -> Option<PathBuf> {
    let helm = Path::new(&env::var_os("KUBEBUILDER_ASSETS")?).join("helm");
    if !helm.is_file() {
        println!("left out: needs {}", helm.display());
        return None;
    }
    Some(helm)
}

/// Everything that a release in `namespace` with these values would install.
async fn rendered(helm: &Path, namespace: &str, values: &Path) -> Vec<Value> {
    let mut command = Command::new(helm);
    command.args(["template", "vibetalk-operator", CHART, "--namespace", namespace, "--values"]).arg(values);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}: {}", values.display(), String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&text);
    let objects = documents.map(|document| Value::deserialize(document).unwrap());
    objects.filter(|object| !object.is_null()).collect()
}

async fn make_namespace(admin: &Client, name: &str) {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
    let api: Api<KubeNamespace> = Api::all(admin.clone());
    api.patch(name, &PatchParams::apply("test"), &Patch::Apply(namespace)).await.unwrap();
}

/// Has the API server check an object as strictly as it can, and forget it.
async fn check(admin: &Client, object: DynamicObject) {
    let types = object.types.clone().unwrap();
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types).unwrap());
    let api: Api<DynamicObject> = match object.namespace() {
        Some(namespace) => Api::namespaced_with(admin.clone(), &namespace, &resource),
        None => Api::all_with(admin.clone(), &resource),
    };
    let params = PatchParams { dry_run: true, ..PatchParams::apply("test").force() }.validation_strict();
    let taken = api.patch(&object.name_any(), &params, &Patch::Apply(&object)).await;
    taken.unwrap_or_else(|error| panic!("{} {}: {error}", types.kind, object.name_any()));
}

#[tokio::test]
async fn every_values_file_makes_objects_that_the_api_server_takes() {
    let (Some(namespace), Some(helm)) = (Namespace::empty().await, helm()) else { return };
    let admin = Client::try_from(namespace.server.admin()).unwrap();
    for watched in ["chat", "chat-test"] {
        make_namespace(&admin, watched).await;
    }
    let mut files = 0;
    for file in std::fs::read_dir(Path::new(CHART).join("ci")).unwrap() {
        files += 1;
        for object in rendered(&helm, &namespace.name, &file.unwrap().path()).await {
            let object: DynamicObject = serde_json::from_value(object).unwrap();
            let kind = object.types.as_ref().map(|types| types.kind.clone()).unwrap();
            assert_eq!(object.namespace().is_none(), OF_THE_CLUSTER.contains(&kind.as_str()), "{kind}");
            if kind != "PodMonitor" || namespace.server.has_optional_kinds {
                check(&admin, object).await;
            }
        }
    }
    assert_eq!(files, 4);
}
