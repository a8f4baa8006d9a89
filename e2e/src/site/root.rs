//! Unpacks an image into a directory that programs can be confined to.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::archive::Archive;
use crate::paths::Paths;
use crate::process::Run;

/// Where the kernel's and the program's own file systems are mounted; images leave them out.
const MOUNT_POINTS: [&str; 4] = ["proc", "dev", "run", "tmp"];
/// Unpacks the layer `$2` of the archive `$1` into `$3`.
const UNPACK: &str = r#"tar --extract --to-stdout --file "$1" "$2" |
    tar --extract --numeric-owner --same-permissions --directory "$3""#;

/// Where the image of this name is unpacked.
pub fn directory(paths: &Paths, name: &str) -> PathBuf {
    paths.cache.join("roots").join(name)
}

/// Unpacks an image with one layer, unless it is there already.
pub async fn unpack(paths: &Paths, name: &str, archive: &Archive) -> Result<()> {
    let root = directory(paths, name);
    let made_from = root.with_extension("reference");
    if fs::read_to_string(&made_from).is_ok_and(|reference| reference == archive.reference) {
        return Ok(());
    }
    let _ = fs::remove_file(&made_from);
    super::remove(&root)?;
    fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
    let layer = layer(&archive.path).with_context(|| format!("cannot read {}", archive.path.display()))?;
    Run::new("bash")
        .args(["-o", "pipefail", "-ec", UNPACK, "bash"])
        .args([archive.path.as_os_str(), layer.as_ref(), root.as_os_str()])
        .logged(&paths.log(&format!("unpack-{name}")))
        .await?;
    for point in MOUNT_POINTS {
        fs::create_dir_all(root.join(point))?;
    }
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n")?;
    fs::write(&made_from, &archive.reference)?;
    Ok(())
}

#[derive(Deserialize)]
struct Blob {
    digest: String,
}

impl Blob {
    fn path(&self) -> String {
        format!("blobs/{}", self.digest.replace(':', "/"))
    }
}

/// The path of an archive's only layer in it, by its index and its manifest.
fn layer(archive: &Path) -> Result<String> {
    #[derive(Deserialize)]
    struct Index {
        manifests: Vec<Blob>,
    }
    #[derive(Deserialize)]
    struct Manifest {
        layers: Vec<Blob>,
    }
    let index: Index = serde_json::from_slice(&file(archive, "index.json")?)?;
    let manifest = index.manifests.first().context("its index is empty")?;
    let manifest: Manifest = serde_json::from_slice(&file(archive, &manifest.path())?)?;
    Ok(manifest.layers.first().context("it has no layer")?.path())
}

fn file(archive: &Path, path: &str) -> Result<Vec<u8>> {
    for entry in tar::Archive::new(File::open(archive)?).entries_with_seek()? {
        let mut entry = entry?;
        if entry.path()? == Path::new(path) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            return Ok(content);
        }
    }
    anyhow::bail!("it holds no {path}")
}
