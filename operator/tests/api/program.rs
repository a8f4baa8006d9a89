//! The operator as the process that it is in a cluster.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

/// A running operator; it is killed with this.
pub struct Program {
    process: Child,
    admin: String,
}

impl Program {
    /// Starts an operator of this name, whose own namespace is `home`, for the namespaces in `watched`, or for all.
    pub fn start(kubeconfig: &Path, (home, name): (&str, &str), watched: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(env!("CARGO_BIN_EXE_vibetalk-operator"))
            .args(["run", "--admin-listen", &format!("127.0.0.1:{port}"), "--namespaces", watched])
            .env("KUBECONFIG", kubeconfig)
            .env("POD_NAMESPACE", home)
            .env("POD_NAME", name)
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // Whoever asks it needs TLS set up, also without using it.
        operator::http::client().unwrap();
        Self { process, admin: format!("http://127.0.0.1:{port}") }
    }

    /// What it answers at its admin port; nothing before it is open, and for an error.
    pub async fn get(&self, path: &str) -> Option<String> {
        let response = reqwest::get(format!("{}{path}", self.admin)).await.ok()?;
        response.error_for_status().ok()?.text().await.ok()
    }

    /// The sum of all its series that begin so.
    pub async fn count(&self, series: &str) -> usize {
        let text = self.get("/metrics").await.unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with(series));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// Tells it to end, as Kubernetes does.
    pub async fn terminate(&self) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    }

    /// Ends it.
    pub async fn end(mut self) {
        self.terminate().await;
        let ended = tokio::time::timeout(Duration::from_secs(10), self.process.wait()).await;
        assert!(ended.expect("it ends in time").unwrap().success());
    }
}
