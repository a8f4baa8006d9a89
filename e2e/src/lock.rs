//! Lets one `up` or `down` work at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};

use anyhow::{Context, Result, bail};

use crate::paths::Paths;

/// Held while the cluster is being changed; the kernel lets go of it when this program ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it, or names the process that has it.
    pub fn take(paths: &Paths) -> Result<Self> {
        fs::create_dir_all(&paths.cache).with_context(|| format!("cannot make {}", paths.cache.display()))?;
        let path = paths.cache.join("lock");
        let mut open = OpenOptions::new();
        let mut file = open.create(true).read(true).write(true).truncate(false).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                bail!(
                    "another `cargo e2e` is changing the cluster (process {}); wait for it or end it",
                    holder.trim()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_who_is_at_work() {
        let cache = tempfile::tempdir().unwrap();
        let paths = Paths { tree: "/t".into(), cache: cache.path().into(), state: "/s".into() };
        let held = Lock::take(&paths).unwrap();
        let error = Lock::take(&paths).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(held);
        assert!(Lock::take(&paths).is_ok());
    }
}
