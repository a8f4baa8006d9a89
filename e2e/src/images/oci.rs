//! Writes image archives as the OCI image specification 1.1 lays them out, with uncompressed layers: they are read
//! once, on the machine that wrote them.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use ring::digest;
use serde_json::{Value, json};
use tar::{Builder, Header};

use super::digest::hex;
use super::layer::Layer;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// How the image's program is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start<'a> {
    /// The program and its first arguments.
    pub entrypoint: &'a [&'a str],
    /// `uid:gid`; empty: root.
    pub user: &'a str,
    /// Where it starts; empty: `/`.
    pub directory: &'a str,
    /// More environment, `NAME=value`.
    pub environment: &'a [&'a str],
}

/// Writes the archive of an image named `reference`.
pub fn write(archive: &Path, reference: &str, start: &Start<'_>, layers: &[Layer]) -> Result<()> {
    let file = File::create(archive).with_context(|| format!("cannot write {}", archive.display()))?;
    let mut tar = Builder::new(std::io::BufWriter::with_capacity(1 << 20, file));
    let config = config(start, layers).to_string();
    let manifest = manifest(&config, layers).to_string();
    let index = index(&manifest, reference).to_string();

    add(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    add(&mut tar, "index.json", index.as_bytes())?;
    for blob in [&config, &manifest] {
        add(&mut tar, &blob_path(&sha256(blob)), blob.as_bytes())?;
    }
    for layer in layers {
        tar.append_data(&mut header(layer.size), blob_path(&layer.sha256), File::open(&layer.path)?)?;
        fs::remove_file(&layer.path)?;
    }
    tar.into_inner()?.into_inner().map_err(|error| error.into_error())?;
    Ok(())
}

fn config(start: &Start<'_>, layers: &[Layer]) -> Value {
    let mut environment = vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
    environment.extend(start.environment);
    let ids: Vec<_> = layers.iter().map(|layer| format!("sha256:{}", layer.sha256)).collect();
    json!({
        "architecture": architecture(),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Entrypoint": start.entrypoint,
            "User": start.user,
            "WorkingDir": start.directory,
            "Env": environment,
        },
        "rootfs": { "type": "layers", "diff_ids": ids },
    })
}

fn manifest(config: &str, layers: &[Layer]) -> Value {
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| {
            json!({ "mediaType": LAYER, "digest": format!("sha256:{}", layer.sha256), "size": layer.size })
        })
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, config),
        "layers": layers,
    })
}

fn index(manifest: &str, reference: &str) -> Value {
    let mut descriptor = descriptor(MANIFEST, manifest);
    // containerd reads the first, buildah the second.
    descriptor["annotations"] = json!({
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": reference,
    });
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor] })
}

fn descriptor(media_type: &str, blob: &str) -> Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{}", sha256(blob)), "size": blob.len() })
}

fn add(tar: &mut Builder<impl std::io::Write>, path: &str, content: &[u8]) -> Result<()> {
    Ok(tar.append_data(&mut header(content.len() as u64), path, content)?)
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(size);
    header.set_mtime(0);
    header
}

fn blob_path(sha256: &str) -> String {
    format!("blobs/sha256/{sha256}")
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// The machine's architecture as Go, and therefore OCI, names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::layer::LayerWriter;
    use super::*;

    #[test]
    fn an_archive_holds_every_blob_under_its_own_digest() {
        let directory = tempfile::tempdir().unwrap();
        let mut layer = LayerWriter::create(directory.path().join("layer")).unwrap();
        layer.file("program", 0o755, "#!/bin/true").unwrap();
        let archive = directory.path().join("archive");
        let start = Start { entrypoint: &["/program"], ..Start::default() };
        write(&archive, "localhost/x:1", &start, &[layer.finish().unwrap()]).unwrap();

        let mut blobs = 0;
        for entry in tar::Archive::new(File::open(&archive).unwrap()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            if let Some(name) = path.strip_prefix("blobs/sha256/") {
                assert_eq!(name, hex(digest::digest(&digest::SHA256, &content).as_ref()));
                blobs += 1;
            }
        }
        assert_eq!(blobs, 3);
    }
}
