//! Makes an image if its archive is not there yet, and clears away what it replaces.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::digest::Ingredients;
use super::oci::{self, Start};
use super::{layer::Layer, rootfs};
use crate::archive::{Archive, Placement};
use crate::binaries::Binaries;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::tool::Tool;

/// What the making of every image needs.
#[derive(Clone, Copy, Debug)]
pub struct Workshop<'a> {
    /// Where archives and logs are.
    pub paths: &'a Paths,
    /// Who hears what is being made.
    pub progress: &'a Progress,
    /// The programs that go into images.
    pub binaries: &'a Binaries,
}

/// One image to be made.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its reference.
    pub reference: String,
    /// The file to write.
    pub output: PathBuf,
    /// An empty directory, gone afterwards.
    pub scratch: PathBuf,
    /// Where programs write what they say.
    pub log: PathBuf,
}

impl Job {
    /// Writes the archive of these layers.
    pub fn write(&self, start: &Start<'_>, layers: &[Layer]) -> Result<()> {
        oci::write(&self.output, &self.reference, start, layers)
    }
}

impl Workshop<'_> {
    /// The archive of the image of these ingredients; `make` writes it if it is not there.
    pub async fn image<F: Future<Output = Result<()>>>(
        &self,
        ingredients: Ingredients,
        placement: Placement,
        make: impl FnOnce(Job) -> F,
    ) -> Result<Archive> {
        let (name, tag) = (ingredients.name, ingredients.tag());
        let directory = self.paths.cache.join("images");
        let path = directory.join(format!("{name}-{tag}.tar"));
        let reference = format!("localhost/{name}:{tag}");
        if !path.is_file() {
            let job = Job {
                reference: reference.clone(),
                output: directory.join(format!(".{name}.unfinished")),
                scratch: directory.join(format!(".{name}.scratch")),
                log: self.paths.log(&format!("image-{name}")),
            };
            self.progress.step(&format!("make the image {name}"), finish(job, &path, make)).await?;
            remove_others(&directory, name, &path)?;
        }
        Ok(Archive { reference, path, placement })
    }

    /// The tar file of a root file system of Debian packages, made if it is not there.
    pub async fn rootfs(&self, name: &str, rootfs: &rootfs::Rootfs) -> Result<PathBuf> {
        let directory = self.paths.cache.join("rootfs");
        let path = directory.join(format!("{name}-{}.tar", rootfs.ingredients("rootfs").tag()));
        if !path.is_file() {
            fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
            let unfinished = directory.join(format!(".{name}.tar"));
            rootfs.make(&unfinished, &self.paths.log(&format!("rootfs-{name}"))).await?;
            fs::rename(&unfinished, &path)?;
            remove_others(&directory, name, &path)?;
        }
        Ok(path)
    }

    /// Adds a built program to the ingredients. Its directory names the versions that it is built from: reading the
    /// program itself would cost more than all the rest.
    pub fn with_program(&self, ingredients: Ingredients, tool: Tool) -> Ingredients {
        let directory = self.binaries.directory(tool.module());
        ingredients.text(&directory.file_name().unwrap_or_default().to_string_lossy())
    }
}

/// Runs work that computes or copies, beside the others.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}

async fn finish<F: Future<Output = Result<()>>>(
    job: Job,
    path: &Path,
    make: impl FnOnce(Job) -> F,
) -> Result<()> {
    let (output, scratch) = (job.output.clone(), job.scratch.clone());
    remove(&scratch)?;
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let made = make(job).await;
    remove(&scratch)?;
    made?;
    fs::rename(&output, path).with_context(|| format!("cannot put {} into its place", path.display()))
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// Removes the files `NAME-<tag>.tar` but for the current one.
fn remove_others(directory: &Path, name: &str, current: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let tag = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".tar"));
        let is_ours = tag.is_some_and(|tag| tag.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if is_ours && path != current {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_archives_of_an_image_go_and_those_of_other_images_stay() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = directory.path().join(name);
            fs::write(&path, "").unwrap();
            path
        };
        let (old, current) = (file("store-00ff.tar"), file("store-12ab.tar"));
        let other = file("store-proxy-12ab.tar");
        remove_others(directory.path(), "store", &current).unwrap();
        assert!(current.exists() && other.exists() && !old.exists());
    }

    #[tokio::test]
    async fn an_image_is_made_once_and_a_failure_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let paths = Paths {
            tree: directory.path().into(),
            cache: directory.path().join("cache"),
            state: directory.path().join("state"),
        };
        let binaries = Binaries::locate(&Paths::discover().unwrap()).unwrap();
        let progress = Progress::start();
        let workshop = Workshop { paths: &paths, progress: &progress, binaries: &binaries };
        let image = async |make: fn(Job) -> Result<()>| {
            let ingredients = Ingredients::new("x", 1);
            workshop.image(ingredients, Placement::EveryNode, async |job| make(job)).await
        };

        assert!(image(|_| anyhow::bail!("no")).await.is_err());
        assert_eq!(fs::read_dir(paths.cache.join("images")).unwrap().count(), 0);
        let made = image(|job| Ok(fs::write(job.output, "archive")?)).await.unwrap();
        assert_eq!(image(|_| anyhow::bail!("again")).await.unwrap(), made);
    }
}
