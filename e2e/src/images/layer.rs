//! One layer of an image: a tar file that comes out the same whenever it is made from the same files.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ring::digest;
use tar::{Builder, EntryType, Header};

use super::digest::hex;

/// A finished layer.
#[derive(Debug)]
pub struct Layer {
    /// The tar file.
    pub path: PathBuf,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Its length in bytes.
    pub size: u64,
}

/// Writes a layer. Everything belongs to root unless said otherwise; all times are 1970.
pub struct LayerWriter {
    path: PathBuf,
    tar: Builder<Digesting>,
    written: HashSet<String>,
}

impl LayerWriter {
    /// Starts a layer in this file.
    pub fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, tar: Builder::new(Digesting::new(file)), written: HashSet::new() })
    }

    /// A directory; the one that is there stays as it is.
    pub fn directory(&mut self, path: &str, mode: u32) -> Result<()> {
        self.put(path, header(EntryType::Directory, mode, 0), io::empty())
    }

    /// A file with this content.
    pub fn file(&mut self, path: &str, mode: u32, content: impl AsRef<[u8]>) -> Result<()> {
        let content = content.as_ref();
        self.put(path, header(EntryType::Regular, mode, content.len() as u64), content)
    }

    /// A copy of a file of this machine.
    pub fn copy(&mut self, path: &str, mode: u32, source: &Path) -> Result<()> {
        let file = File::open(source).with_context(|| format!("cannot read {}", source.display()))?;
        let size = file.metadata()?.len();
        self.put(path, header(EntryType::Regular, mode, size), file)
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: &str) -> Result<()> {
        self.put_link(path, header(EntryType::Symlink, 0o777, 0), target.as_ref())
    }

    /// All files below a directory of this machine whose path in it is wanted: readable by everyone.
    pub fn tree(&mut self, at: &str, source: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
        for entry in sorted(source)? {
            let name = entry.file_name().into_string().unwrap_or_default();
            let below = format!("{at}/{name}");
            if !wanted(&below) {
                continue;
            }
            if entry.path().is_dir() {
                self.directory(&below, 0o755)?;
                self.tree(&below, &entry.path(), wanted)?;
            } else {
                self.copy(&below, 0o644, &entry.path())?;
            }
        }
        Ok(())
    }

    /// Those entries of a root file system's tar file that are wanted, with their owners and modes.
    pub fn rootfs(&mut self, rootfs: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
        let file = File::open(rootfs).with_context(|| format!("cannot read {}", rootfs.display()))?;
        let mut archive = tar::Archive::new(io::BufReader::with_capacity(1 << 20, file));
        for entry in archive.entries()? {
            let entry = entry?;
            let path = entry.path()?.to_string_lossy().into_owned();
            let path = path.trim_start_matches("./").trim_end_matches('/');
            if !path.is_empty() && wanted(path) {
                self.carry_over(path, entry).with_context(|| format!("cannot take over {path}"))?;
            }
        }
        Ok(())
    }

    /// One file, directory or link of an unpacked root file system, with its owner and mode.
    pub fn keep(&mut self, root: &Path, path: &str) -> Result<()> {
        let path = path.trim_start_matches('/');
        let source = root.join(path);
        let metadata =
            fs::symlink_metadata(&source).with_context(|| format!("cannot read {}", source.display()))?;
        let kind = if metadata.is_symlink() {
            EntryType::Symlink
        } else if metadata.is_dir() {
            EntryType::Directory
        } else {
            EntryType::Regular
        };
        let size = if metadata.is_file() { metadata.len() } else { 0 };
        let mut header = header(kind, metadata.mode() & 0o7777, size);
        header.set_uid(metadata.uid().into());
        header.set_gid(metadata.gid().into());
        match kind {
            EntryType::Symlink => self.put_link(path, header, &fs::read_link(&source)?),
            EntryType::Directory => self.put(path, header, io::empty()),
            _ => self.put(path, header, File::open(&source)?),
        }
    }

    /// Ends the layer.
    pub fn finish(self) -> Result<Layer> {
        let mut file = self.tar.into_inner()?;
        file.inner.flush()?;
        Ok(Layer { path: self.path, sha256: hex(file.digest.finish().as_ref()), size: file.size })
    }

    fn carry_over(&mut self, path: &str, entry: tar::Entry<'_, impl Read>) -> Result<()> {
        let old = entry.header();
        let mut new = header(old.entry_type(), old.mode()? & 0o7777, old.size()?);
        new.set_uid(old.uid()?);
        new.set_gid(old.gid()?);
        match entry.link_name()?.map(|target| target.into_owned()) {
            Some(target) => {
                // Hard links name entries of this layer, whose paths have no `./` any more.
                self.put_link(path, new, target.strip_prefix("./").unwrap_or(&target))
            }
            None => self.put(path, new, entry),
        }
    }

    fn put(&mut self, path: &str, mut header: Header, content: impl Read) -> Result<()> {
        if !self.is_new(path, header.entry_type())? {
            return Ok(());
        }
        self.tar.append_data(&mut header, path, content).with_context(|| format!("cannot add {path}"))
    }

    fn put_link(&mut self, path: &str, mut header: Header, target: &Path) -> Result<()> {
        self.is_new(path, header.entry_type())?;
        self.tar.append_link(&mut header, path, target).with_context(|| format!("cannot add {path}"))
    }

    /// Whether the path is not in the layer yet. Not every reader of images takes one that is there twice.
    fn is_new(&mut self, path: &str, kind: EntryType) -> Result<bool> {
        let new = self.written.insert(path.to_owned());
        if !new && kind != EntryType::Directory {
            bail!("{path} is in the layer already");
        }
        Ok(new)
    }
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn sorted(directory: &Path) -> Result<Vec<fs::DirEntry>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    Ok(entries)
}

/// A file that knows the digest of what went into it.
struct Digesting {
    inner: BufWriter<File>,
    digest: digest::Context,
    size: u64,
}

impl Digesting {
    fn new(file: File) -> Self {
        let inner = BufWriter::with_capacity(1 << 20, file);
        Self { inner, digest: digest::Context::new(&digest::SHA256), size: 0 }
    }
}

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(directory: &Path, name: &str) -> Layer {
        let mut layer = LayerWriter::create(directory.join(name)).unwrap();
        layer.directory("etc", 0o755).unwrap();
        layer.file("etc/motd", 0o644, "hello").unwrap();
        layer.link("bin", "usr/bin").unwrap();
        layer.finish().unwrap()
    }

    #[test]
    fn the_same_files_make_the_same_layer() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (small(directory.path(), "one"), small(directory.path(), "two"));
        assert_eq!(one.sha256, two.sha256);
        assert_eq!(one.size, fs::metadata(&one.path).unwrap().len());
    }

    #[test]
    fn a_directory_may_be_named_twice_and_a_file_not() {
        let directory = tempfile::tempdir().unwrap();
        let mut layer = LayerWriter::create(directory.path().join("layer")).unwrap();
        layer.directory("etc", 0o755).unwrap();
        layer.directory("etc", 0o700).unwrap();
        layer.file("etc/motd", 0o644, "hello").unwrap();
        assert!(layer.file("etc/motd", 0o644, "again").is_err());
    }

    #[test]
    fn a_root_file_system_is_taken_over_but_for_what_is_not_wanted() {
        let directory = tempfile::tempdir().unwrap();
        let rootfs = small(directory.path(), "rootfs");
        let mut layer = LayerWriter::create(directory.path().join("layer")).unwrap();
        layer.rootfs(&rootfs.path, &|path| path != "etc/motd").unwrap();
        let layer = layer.finish().unwrap();

        let mut archive = tar::Archive::new(File::open(layer.path).unwrap());
        let paths: Vec<_> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
        assert_eq!(paths, [Path::new("etc"), Path::new("bin")]);
    }
}
