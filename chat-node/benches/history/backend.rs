//! Where the messages are.

use std::fs::File;
use std::sync::Arc;

use anyhow::Result;
use chat_node::clock::System;
use chat_node::store::Store;
use chat_node::store::embedded::Embedded;
use chat_node::store::mongo::Mongo;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use tempfile::TempDir;

use crate::archive::bucket;

/// A store that is empty at first.
pub enum Backend {
    /// In a directory of its own.
    Embedded(TempDir),
    /// In a database of its own on a server.
    Mongo { uri: String, database: String },
}

impl Backend {
    /// Beside what is compiled, as the directory for temporary files may lie in memory.
    pub fn on_disk() -> Result<Self> {
        Ok(Self::Embedded(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?))
    }

    /// On the server that the environment names.
    pub fn on_server() -> Option<Self> {
        let uri = std::env::var("VIBETALK_TEST_MONGODB_URI").ok()?;
        Some(Self::Mongo { uri, database: format!("vt_bench_{:x}", fastrand::u64(..)) })
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "embedded",
            Self::Mongo { .. } => "mongo",
        }
    }

    /// Opens it as a node does.
    pub async fn open(&self) -> Result<Arc<dyn Store>> {
        let store: Arc<dyn Store> = match self {
            Self::Embedded(directory) => {
                Arc::new(Embedded::open(directory.path(), bucket().into(), Arc::new(System))?)
            }
            Self::Mongo { uri, database } => Arc::new(Mongo::connect(uri, database, bucket().into()).await?),
        };
        store.prepare("Official").await?;
        Ok(store)
    }

    /// Opens it with nothing of it in memory; but a server keeps what it has.
    pub async fn open_cold(&self) -> Result<Arc<dyn Store>> {
        if let Self::Embedded(directory) = self {
            for file in std::fs::read_dir(directory)? {
                let file = File::open(file?.path())?;
                file.sync_all()?;
                posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
            }
        }
        self.open().await
    }

    /// Removes it and all that is in it.
    pub async fn remove(self) -> Result<()> {
        match self {
            Self::Embedded(directory) => directory.close()?,
            Self::Mongo { uri, database } => {
                mongodb::Client::with_uri_str(&uri).await?.database(&database).drop().await?;
            }
        }
        Ok(())
    }
}
