//! The store of a site: FerretDB on PostgreSQL with DocumentDB.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use mongodb::bson::doc;

use super::confined::Confined;
use super::member::Member;
use super::{Site, root};
use crate::daemon::Daemon;
use crate::process::Run;
use crate::tool::Tool;

/// The image of the database.
pub const DATABASE: &str = "documentdb";
/// The user `postgres` in it.
const USER: u32 = 70;
/// What is otherwise than in the image: nobody reaches it over the network, and what it has acknowledged survives the
/// process.
const SETTINGS: &str = "listen_addresses = ''\n\
    documentdb.localhost_connection_string = 'host=/run/postgresql'\n\
    fsync = on\n\
    full_page_writes = on\n\
    synchronous_commit = on\n";

impl Site {
    /// The store as its users reach it.
    pub fn mongodb_uri(&self) -> String {
        let port = self.store_port();
        let (username, password) = (&self.login.username, &self.login.password);
        format!("mongodb://{username}:{password}@127.0.0.1:{port}/?authMechanism=SCRAM-SHA-256")
    }

    pub(super) fn database_daemon(&self) -> Daemon {
        let confined = Confined {
            root: root::directory(&self.paths, DATABASE),
            user: USER,
            lent: vec![
                (self.database_directory(), "/var/lib/postgresql/data"),
                (self.socket_directory(), "/run/postgresql"),
            ],
        };
        let environment =
            vec![("VT_USER", self.login.username.clone()), ("VT_PASSWORD", self.login.password.clone())];
        self.daemon(&Member::Database.to_string(), confined.command(&["/entrypoint.sh"]), environment)
    }

    /// Copies the seed if there is no database yet.
    pub(super) async fn prepare_database(&self) -> Result<()> {
        let (data, socket) = (self.database_directory(), self.socket_directory());
        // It says whether the present process has begun to serve.
        let _ = fs::remove_file(self.prepared());
        let cluster = data.join("cluster");
        if cluster.exists() {
            return Ok(());
        }
        for directory in [&data, &socket] {
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
            chown(directory, Some(USER), Some(USER))?;
        }
        let seed = root::directory(&self.paths, DATABASE).join("var/lib/postgresql/seed");
        let copy = data.join("cluster.copy");
        Run::new("cp").args(["--archive"]).args([&seed, &copy]).output().await?;
        let settings = OpenOptions::new().append(true).open(copy.join("postgresql.conf"));
        settings.context("the seed has no settings")?.write_all(SETTINGS.as_bytes())?;
        fs::rename(&copy, &cluster).context("cannot put the database into its place")
    }

    pub(super) fn database_serves(&self) -> bool {
        self.prepared().exists()
    }

    pub(super) fn ferretdb_daemon(&self) -> Daemon {
        let program = self.binaries.path(Tool::Ferretdb).to_string_lossy().into_owned();
        let socket = self.socket_directory();
        let command = vec![
            program,
            format!("--postgresql-url=postgres:///postgres?user=postgres&host={}", socket.display()),
            format!("--listen-addr=127.0.0.1:{}", self.store_port()),
            format!("--debug-addr=127.0.0.1:{}", self.service_port(42)),
            "--telemetry=disable".to_owned(),
            "--log-level=warn".to_owned(),
            format!("--state-dir={}", self.paths.state.display()),
        ];
        self.daemon(&Member::Ferretdb.to_string(), command, Vec::new())
    }

    pub(super) async fn ferretdb_serves(&self) -> bool {
        let ping = async {
            let client = mongodb::Client::with_uri_str(self.mongodb_uri()).await?;
            client.database("admin").run_command(doc! { "ping": 1 }).await
        };
        tokio::time::timeout(Duration::from_secs(2), ping).await.is_ok_and(|answer| answer.is_ok())
    }

    fn store_port(&self) -> u16 {
        self.service_port(41)
    }

    fn database_directory(&self) -> PathBuf {
        self.directory("database")
    }

    fn socket_directory(&self) -> PathBuf {
        self.directory("database-socket")
    }

    fn prepared(&self) -> PathBuf {
        self.socket_directory().join("prepared")
    }
}
