//! One chat node with a store and a bus of its own, as a release build.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use crds::binding;
use crds::node::{NodeReport, REPORT_PATH};

use super::{Service, Started};
use crate::client::SigningKey;
use crate::load::cores;
use crate::load::generator::Way;
use crate::load::meter::{Processes, Role};
use crate::paths::Paths;
use crate::process;

/// A run decides itself how much is asked for.
const LIMITS: &str = "connectionsPerNode=1000000,connectionsPerAddress=1000000,commandsPerMinute=1000000,\
                      userRequestsPerMinute=1000000,addressRequestsPerMinute=1000000";
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// A running chat node. Ends, with all its data, when dropped.
#[derive(Debug)]
pub struct BareNode {
    address: SocketAddr,
    version: String,
    keeps_apart: bool,
    child: Child,
    directory: PathBuf,
    /// Without a reader its greeting would fail, and it with that.
    _output: BufReader<ChildStdout>,
}

impl BareNode {
    /// Signs users' tokens.
    pub const KEY: &str = "a key that only load on loopback knows and uses";

    /// Starts it; back when it serves.
    pub async fn start(paths: &Paths, program: &Path) -> Result<Self> {
        let directory = paths.state.join(format!("load-{}", std::process::id()));
        let auth = directory.join(binding::auth::DIRECTORY);
        fs::create_dir_all(&auth).with_context(|| format!("cannot make {}", auth.display()))?;
        fs::write(auth.join(binding::auth::HS256), Self::KEY)?;
        let keeps_apart = cores::can_share();
        let log = paths.log("load-chat-node");
        let mut child = spawn(program, (&directory, &log), keeps_apart)?;
        let output = child.stdout.take().context("the chat node has no output")?;
        let mut output = BufReader::new(output);
        let (chat, admin) = match (address(&mut output), address(&mut output)) {
            (Ok(chat), Ok(admin)) => (chat, admin),
            (Err(error), _) | (_, Err(error)) => {
                let _ = child.kill();
                return Err(error.context(process::tail(&log)));
            }
        };
        let mut node =
            Self { address: chat, version: String::new(), keeps_apart, child, directory, _output: output };
        node.version = version(admin).await?;
        Ok(node)
    }

    /// Where it serves.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The service that it is.
    pub fn service(self) -> Service {
        Service {
            way: Way::plain(vec![self.address], self.address.to_string()),
            key: SigningKey::new(Self::KEY.into()),
            watched: vec![(Role::Server, Processes::One(self.child.id().cast_signed()))],
            versions: vec![("chat-node".to_owned(), self.version.clone())],
            keeps_apart: self.keeps_apart,
            started: Started::Node(self),
        }
    }
}

impl Drop for BareNode {
    fn drop(&mut self) {
        // There is nothing to be done about a process that cannot be ended or a directory that cannot be removed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A child has the cores of the thread that starts it.
fn spawn(program: &Path, (directory, log): (&Path, &Path), keeps_apart: bool) -> Result<Child> {
    let mut command = Command::new(program);
    command
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--limits", LIMITS])
        .arg("--data")
        .arg(directory.join("data"))
        .arg("--bindings")
        .arg(directory)
        .env("VT_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(process::append(log)?);
    let start = move || -> Result<Child> {
        if keeps_apart {
            cores::keep_to_servers()?;
        }
        command.spawn().context("cannot start the chat node")
    };
    match std::thread::spawn(start).join() {
        Ok(child) => child,
        Err(_) => bail!("the start of the chat node broke"),
    }
}

/// The address in the next line of the greeting.
fn address(output: &mut impl BufRead) -> Result<SocketAddr> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    let address = address.with_context(|| format!("the chat node greets with {line:?}"))?;
    address.parse().with_context(|| format!("the chat node greets with {line:?}"))
}

async fn version(admin: SocketAddr) -> Result<String> {
    let url = format!("http://{admin}{REPORT_PATH}");
    let request = reqwest::Client::new().get(&url).timeout(ANSWERED_WITHIN);
    let report: NodeReport = request.send().await?.error_for_status()?.json().await?;
    Ok(report.version)
}
