//! PostgreSQL with the DocumentDB extension, from Debian packages: the store behind FerretDB.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::layer::{Layer, LayerWriter};
use super::oci::Start;
use super::rootfs::{Depth, Rootfs};
use super::workshop::{Job, Workshop, blocking};
use crate::archive::{Archive, Placement};
use crate::process::Run;

const VERSION: &str = "2";
/// The only release that has the extension.
const ROOTFS: Rootfs = Rootfs {
    suite: "forky",
    depth: Depth::Installed,
    packages: &["postgresql-18", "postgresql-18-documentdb"],
};
const PREPARE: &str = include_str!("../../images/documentdb/prepare.sh");
const ENTRYPOINT: &str = include_str!("../../images/documentdb/entrypoint.sh");
const SETTINGS: &str = include_str!("../../images/documentdb/postgresql.conf");
/// Runs the preparation in namespaces of its own, so that nothing of it stays: no process, mount or open port.
const ENTER: &str = r#"
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mount -t tmpfs tmpfs "$0/dev/shm"
exec chroot "$0" /bin/sh /prepare.sh
"#;

/// The image of the database.
pub async fn documentdb(workshop: &Workshop<'_>) -> Result<Archive> {
    let texts = [VERSION, PREPARE, ENTRYPOINT, SETTINGS, ENTER];
    let begin = ROOTFS.ingredients("documentdb");
    let ingredients = texts.iter().fold(begin, |all, text| all.text(text));
    let make = async |job: Job| {
        let tar = workshop.rootfs("documentdb", &ROOTFS).await?;
        let root = prepare(&job, tar).await?;
        blocking(move || {
            let start =
                Start { entrypoint: &["/entrypoint.sh"], user: "70:70", directory: "/", environment: &[] };
            job.write(&start, &[layer(&job, root)?])
        })
        .await
    };
    workshop.image(ingredients, Placement::ServicesNode, make).await
}

/// Unpacks the root file system and makes a database in it.
async fn prepare(job: &Job, rootfs: PathBuf) -> Result<PathBuf> {
    let root = job.scratch.join("root");
    fs::create_dir_all(&root)?;
    let unpack = Run::new("tar").args(["--extract", "--numeric-owner", "--exclude=./dev/*", "--file"]);
    unpack.args([&rootfs]).args(["--directory"]).args([&root]).logged(&job.log).await?;
    fs::write(root.join("prepare.sh"), PREPARE)?;
    fs::write(root.join("postgresql.conf"), SETTINGS)?;
    let namespaces = ["--mount", "--pid", "--ipc", "--net", "--fork", "--kill-child=KILL", "--"];
    Run::new("unshare")
        .args(namespaces)
        .args(["sh", "-ec", ENTER])
        .args([&root])
        .logged(&job.log)
        .await
        .context("cannot prepare the database")?;
    Ok(root)
}

fn layer(job: &Job, root: PathBuf) -> Result<Layer> {
    let mut layer = LayerWriter::create(job.scratch.join("layer"))?;
    for path in fs::read_to_string(root.join("keep")).context("prepare.sh wrote no list")?.lines() {
        layer.keep(&root, path)?;
    }
    layer.file("entrypoint.sh", 0o755, ENTRYPOINT)?;
    layer.finish()
}
