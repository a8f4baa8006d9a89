//! A Deployment that the test bed itself needs: a manifest with its images filled in, applied and waited for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::archive::Archive;
use crate::cluster::Local;
use crate::template;

/// How long a Deployment may take to roll out.
const DEADLINE: Duration = Duration::from_secs(120);

/// A manifest and the one Deployment in it.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Name of the part and of the manifest.
    pub name: &'static str,
    /// The Deployment's namespace.
    pub namespace: &'static str,
    /// The Deployment's name.
    pub deployment: &'static str,
    /// The manifest with its places: an image's name in upper case, and what the caller gives.
    pub manifest: &'static str,
    /// Names of the images, as between `localhost/` and the tag.
    pub images: &'static [&'static str],
}

impl Workload {
    /// Applies the manifest and waits until the Deployment is rolled out. `values` fills further places.
    pub async fn ensure(&self, local: &Local, archives: &[Archive], values: &[(&str, &str)]) -> Result<()> {
        let file = self.write(local, archives, values)?;
        let file = file.to_string_lossy();
        let apply =
            ["apply", "--server-side", "--force-conflicts", "--field-manager=vibetalk-e2e", "-f", &file];
        local.kubectl(apply).deadline(DEADLINE).output().await?;
        let deployment = format!("deployment/{}", self.deployment);
        let timeout = format!("--timeout={}s", DEADLINE.as_secs());
        let rollout = ["--namespace", self.namespace, "rollout", "status", &deployment, &timeout];
        match local.kubectl(rollout).deadline(DEADLINE * 2).output().await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.context(self.diagnosis(local).await)),
        }
    }

    /// Removes what was applied; back when the Deployment and its namespace, if that is in the manifest, are gone.
    pub async fn remove(&self, local: &Local) -> Result<()> {
        let file = self.file(local);
        if !file.is_file() {
            return Ok(());
        }
        let timeout = format!("--timeout={}s", DEADLINE.as_secs());
        let delete = ["delete", "--ignore-not-found", &timeout, "-f", &file.to_string_lossy()];
        local.kubectl(delete).deadline(DEADLINE * 2).output().await?;
        fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))
    }

    /// Fills the manifest in. The file may hold passwords.
    fn write(&self, local: &Local, archives: &[Archive], values: &[(&str, &str)]) -> Result<PathBuf> {
        let images: Vec<(String, &str)> = self
            .images
            .iter()
            .map(|image| Ok((image.to_uppercase().replace('-', "_"), reference(archives, image)?)))
            .collect::<Result<_>>()?;
        let images = images.iter().map(|(place, reference)| (place.as_str(), *reference));
        let places: Vec<(&str, &str)> = images.chain(values.iter().copied()).collect();
        let directory = directory(local);
        fs::create_dir_all(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))?;
        let file = self.file(local);
        fs::write(&file, template::fill(self.manifest, &places)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    fn file(&self, local: &Local) -> PathBuf {
        directory(local).join(format!("{}.yaml", self.name))
    }

    /// What the cluster knows of the pods that did not come up.
    async fn diagnosis(&self, local: &Local) -> String {
        let mut text = format!("{} did not come up in the namespace {}", self.deployment, self.namespace);
        let pods = ["--namespace", self.namespace, "get", "pods", "--output=wide"];
        let events = ["--namespace", self.namespace, "events", "--types=Warning"];
        for look in [pods.as_slice(), events.as_slice()] {
            if let Ok(shown) = local.kubectl(look).output().await {
                text.push('\n');
                text.push_str(shown.trim_end());
            }
        }
        text
    }
}

/// Where the filled-in manifests are.
fn directory(local: &Local) -> PathBuf {
    local.paths.state.join("manifests")
}

/// The reference of the image `name`.
pub fn reference<'a>(archives: &'a [Archive], name: &str) -> Result<&'a str> {
    let prefix = format!("localhost/{name}:");
    let archive = archives.iter().find(|archive| archive.reference.starts_with(&prefix));
    archive.map(|archive| archive.reference.as_str()).with_context(|| format!("there is no image {prefix}…"))
}
