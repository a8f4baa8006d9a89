//! VibeTalk on a cluster, as a user installs it: namespaces, Secrets, Helm, the example, and then the addresses.
//!
//! The same steps serve the local cluster and any other ([`Target`]); what is there already is left as it is.

mod announcement;
mod backends;
pub mod credentials;
pub mod diagnosis;
pub mod example;
mod operator;
mod target;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::progress::Progress;

pub use announcement::Announcement;
pub use backends::{Backends, Broker};
pub use operator::install_chart;
pub use target::{Target, at_home};

/// Namespace of the operator.
pub const SYSTEM: &str = "vibetalk-system";
/// Namespace of the example.
pub const DEMO_NAMESPACE: &str = "vibetalk-demo";
/// Name of the example.
pub const DEMO: &str = "demo";
/// Who this program is to the API server.
pub const FIELD_MANAGER: &str = "vibetalk-e2e";

/// Brings VibeTalk and the example onto the cluster, or what changed of them; back when the example is ready and
/// answers.
pub async fn apply(target: &Target, progress: &Progress) -> Result<Announcement> {
    let client = target.access.client().await?;
    ensure_namespace(&client, SYSTEM).await?;
    ensure_namespace(&client, DEMO_NAMESPACE).await?;
    credentials::ensure(&client, DEMO_NAMESPACE, &target.backends).await?;
    progress.step("install the operator with Helm", operator::install(target, &client)).await?;
    progress.step("apply the example VibeTalkCluster", example::apply(target, &client)).await?;
    announcement::gather(target, &client).await
}

/// Makes a namespace that takes only pods of the restricted security standard.
pub async fn ensure_namespace(client: &kube::Client, name: &str) -> Result<()> {
    let namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
            },
        },
    });
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces
        .patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&namespace))
        .await
        .with_context(|| format!("cannot make the namespace {name}"))?;
    Ok(())
}
