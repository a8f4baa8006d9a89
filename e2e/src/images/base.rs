//! What VibeTalk's images stand on: the C library and certificates, and no shell.

use anyhow::Result;

use super::layer::LayerWriter;
use super::oci::Start;
use super::rootfs::{Depth, Rootfs};
use super::workshop::{Job, Workshop, blocking};
use crate::archive::{Archive, Placement};

const VERSION: &str = "2";
/// Not newer than the machine that compiles: a program needs the C library that it was linked with, or a newer one.
const ROOTFS: Rootfs =
    Rootfs { suite: "bookworm", depth: Depth::Unpacked, packages: &["base-files", "libc6", "libgcc-s1"] };
const PASSWD: &str = include_str!("../../images/base/passwd");
const GROUP: &str = include_str!("../../images/base/group");
const NAMES: &str = include_str!("../../images/base/nsswitch.conf");
/// What this machine trusts: the package makes the bundle only when it is installed, by a shell.
pub(super) const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The base image. No node needs it by itself.
pub async fn base(workshop: &Workshop<'_>) -> Result<Archive> {
    let texts = [VERSION, PASSWD, GROUP, NAMES];
    let ingredients = texts.iter().fold(ROOTFS.ingredients("base"), |all, text| all.text(text));
    let ingredients = ingredients.file(CERTIFICATES.as_ref())?;
    let make = async |job: Job| {
        let rootfs = workshop.rootfs("base", &ROOTFS).await?;
        blocking(move || {
            let mut layer = LayerWriter::create(job.scratch.join("layer"))?;
            layer.rootfs(&rootfs, &is_needed)?;
            layer.file("etc/passwd", 0o644, PASSWD)?;
            layer.file("etc/group", 0o644, GROUP)?;
            layer.file("etc/nsswitch.conf", 0o644, NAMES)?;
            layer.copy("etc/ssl/certs/ca-certificates.crt", 0o644, CERTIFICATES.as_ref())?;
            layer.directory("tmp", 0o1777)?;
            job.write(&Start { user: "65532:65532", ..Start::default() }, &[layer.finish()?])
        })
        .await
    };
    workshop.image(ingredients, Placement::EveryNode, make).await
}

/// The C library without its programs and character sets.
fn is_needed(path: &str) -> bool {
    const DROPPED: [&str; 12] = [
        "bin/",
        "boot",
        "dev/",
        "etc/apt",
        "etc/passwd",
        "etc/group",
        "sbin/",
        "usr/bin/",
        "usr/sbin/",
        "usr/share/",
        "var/cache",
        "var/lib/",
    ];
    !DROPPED.iter().any(|dropped| path.starts_with(dropped)) && !path.split('/').any(|name| name == "gconv")
}
