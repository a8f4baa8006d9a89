//! The operators' pods.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};

use super::world::{World, is_ready};
use crate::eventually::eventually;
use crate::product::SYSTEM;

/// For a new pod, and for the lease of the old one to run out.
const PATIENCE: Duration = Duration::from_secs(90);
const PROGRAM: &[u8] = b"/vibetalk-operator";
const SELECTOR: &str = "app.kubernetes.io/name=vibetalk-operator";

/// The operators that run at one time.
pub struct Operators {
    api: Api<Pod>,
    names: BTreeSet<String>,
}

impl Operators {
    /// Those that run now.
    pub async fn find(world: &World) -> Result<Self> {
        let api: Api<Pod> = Api::namespaced(world.client.clone(), SYSTEM);
        let names = listed(&api).await?.iter().map(ResourceExt::name_any).collect::<BTreeSet<_>>();
        ensure!(!names.is_empty(), "no operator runs");
        Ok(Self { api, names })
    }

    /// The processes of all of them.
    pub fn processes(world: &World) -> Result<Vec<i32>> {
        let mut found = Vec::new();
        for node in &world.local.nodes {
            let runs = |pid: &i32| {
                let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                command.split(|byte| *byte == 0).next().is_some_and(|program| program.ends_with(PROGRAM))
            };
            found.extend(node.processes()?.into_iter().filter(runs));
        }
        ensure!(!found.is_empty(), "no operator runs");
        Ok(found)
    }

    /// Ends all of them and their pods; they may still say goodbye.
    pub async fn remove(&self) -> Result<()> {
        for name in &self.names {
            self.api.delete(name, &DeleteParams::default().grace_period(0)).await?;
        }
        Ok(())
    }

    /// Waits until as many others are ready.
    pub async fn replaced(&self) -> Result<()> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        self.ready_without(&names).await
    }

    /// Waits until as many as before are ready without this one.
    pub async fn replaced_one(&self, gone: &str) -> Result<()> {
        self.ready_without(&[gone]).await
    }

    async fn ready_without(&self, gone: &[&str]) -> Result<()> {
        eventually("new operators are ready", PATIENCE, || async {
            let now = listed(&self.api).await?;
            let stays = |pod: &&Pod| is_ready(pod) && !gone.contains(&pod.name_any().as_str());
            let ready = now.iter().filter(stays).count();
            ensure!(ready == self.names.len(), "{ready} of {}", self.names.len());
            Ok(())
        })
        .await
    }
}

async fn listed(api: &Api<Pod>) -> Result<Vec<Pod>> {
    Ok(api.list(&ListParams::default().labels(SELECTOR)).await?.items)
}
