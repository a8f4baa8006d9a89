//! The RabbitMQ nodes of a site: one cluster.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::net::TcpStream;

use super::confined::Confined;
use super::member::Member;
use super::{Site, root};
use crate::daemon::Daemon;
use crate::eventually::eventually;
use crate::process::Run;

/// The image that they run.
pub const PROGRAM: &str = "rabbitmq";
/// The user `rabbitmq` in it.
const USER: u32 = 999;
const HOME: &str = "/var/lib/rabbitmq";
/// Where each node's data is in the directory that is its home.
const COOKIE: &str = ".erlang.cookie";
/// A node that hangs is given up by the others within 1.25 times this.
const TICK_S: u32 = 8;

const CLUSTERED_WITHIN: Duration = Duration::from_secs(60);
/// The order starts an Erlang machine of its own.
const BLOCK_WITHIN: Duration = Duration::from_secs(120);
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

impl Site {
    /// A broker as its users reach it.
    pub fn broker_uri(&self, number: u8) -> String {
        let port = self.amqp_port(number);
        format!("amqp://{}:{}@127.0.0.1:{port}/%2f", self.login.username, self.login.password)
    }

    /// A broker's management API, without the login.
    pub fn management_uri(&self, number: u8) -> String {
        format!("http://127.0.0.1:{}", self.management_port(number))
    }

    /// Where a broker takes connections of its users.
    pub fn amqp_port(&self, number: u8) -> u16 {
        self.service_port(10 + u16::from(number))
    }

    /// Makes a broker take no publishes any more, as if it were low on memory; or take them again.
    pub async fn block(&self, number: u8, blocked: bool) -> Result<()> {
        let watermark = if blocked { "0" } else { "0.4" };
        let order = ["/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", "set_vm_memory_high_watermark", watermark];
        let mut command = self.confined(number).command(&order).into_iter();
        let mut run = Run::new(command.next().context("no command")?).args(command).deadline(BLOCK_WITHIN);
        for (name, value) in self.environment(number) {
            run = run.env(name, value);
        }
        run.output().await.map(drop)
    }

    /// Starts what tells brokers each other's ports. Started by a broker it would end with it.
    pub(super) async fn start_names(&self) -> Result<()> {
        let port = self.service_port(0).to_string();
        let confined = Confined { lent: Vec::new(), ..self.confined(1) };
        let command = confined.command(&["/usr/bin/epmd", "-address", "127.0.0.1", "-port", &port]);
        self.daemon("epmd", command, Vec::new()).ensure(&self.paths).await
    }

    pub(super) fn broker_daemon(&self, number: u8) -> Daemon {
        let command = self.confined(number).command(&["/usr/lib/rabbitmq/bin/rabbitmq-server"]);
        let name = Member::Broker(number).to_string();
        Daemon {
            configuration: self.settings(number),
            ..self.daemon(&name, command, self.environment(number))
        }
    }

    /// Writes what a broker reads when it starts.
    pub(super) fn prepare_broker(&self, number: u8) -> Result<()> {
        let home = self.home(number);
        fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
        let cookie = home.join(COOKIE);
        if !cookie.exists() {
            fs::write(&cookie, &self.login.password)?;
            fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400))?;
        }
        fs::write(home.join("rabbitmq.conf"), self.settings(number))?;
        for own in [&home, &cookie, &home.join("rabbitmq.conf")] {
            chown(own, Some(USER), Some(USER)).with_context(|| format!("cannot give {}", own.display()))?;
        }
        Ok(())
    }

    pub(super) async fn broker_serves(&self, number: u8) -> bool {
        for port in [self.amqp_port(number), self.management_port(number)] {
            if TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Waits until every broker sees all of them run.
    pub(super) async fn until_clustered(&self) -> Result<()> {
        for number in self.brokers() {
            let what = format!("{} sees the whole cluster", Member::Broker(number));
            eventually(&what, CLUSTERED_WITHIN, || async {
                let nodes = self.manage(number, reqwest::Method::GET, "nodes").await?;
                let nodes = nodes.as_array().context("no list")?.clone();
                let running = nodes.iter().filter(|node| node["running"] == true).count();
                ensure!(running == usize::from(self.brokers), "{running} run");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Asks a broker's management API; `Null` if it has nothing to say.
    pub async fn manage(&self, number: u8, method: reqwest::Method, path: &str) -> Result<serde_json::Value> {
        self.manage_with(number, method, (path, None)).await
    }

    /// The same with a body. What is to be deleted and is not there counts as deleted.
    pub async fn manage_with(
        &self,
        number: u8,
        method: reqwest::Method,
        (path, body): (&str, Option<&serde_json::Value>),
    ) -> Result<serde_json::Value> {
        let url = format!("{}/api/{path}", self.management_uri(number));
        let http = reqwest::Client::builder().timeout(ANSWERED_WITHIN).build()?;
        let deletes = method == reqwest::Method::DELETE;
        let mut request =
            http.request(method, &url).basic_auth(&self.login.username, Some(&self.login.password));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, answer) = (answer.status(), answer.bytes().await?);
        if deletes && status == reqwest::StatusCode::NOT_FOUND {
            return Ok(serde_json::Value::Null);
        }
        if !status.is_success() {
            bail!("{url} answers {status}: {}", String::from_utf8_lossy(&answer));
        }
        if answer.is_empty() {
            return Ok(serde_json::Value::Null);
        }
        serde_json::from_slice(&answer).with_context(|| format!("{url} answers something else"))
    }

    fn confined(&self, number: u8) -> Confined {
        Confined {
            root: root::directory(&self.paths, PROGRAM),
            user: USER,
            lent: vec![(self.home(number), HOME)],
        }
    }

    fn home(&self, number: u8) -> std::path::PathBuf {
        self.directory(&Member::Broker(number).to_string())
    }

    fn environment(&self, number: u8) -> Vec<(&'static str, String)> {
        let erlang = format!(
            "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel net_ticktime {TICK_S} \
             -kernel inet_dist_use_interface {{127,0,0,1}}"
        );
        let given = [
            ("HOME", HOME),
            ("LANG", "C.UTF-8"),
            ("RABBITMQ_CONFIG_FILE", "/var/lib/rabbitmq/rabbitmq.conf"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "/etc/rabbitmq/enabled_plugins"),
            ("ERL_EPMD_ADDRESS", "127.0.0.1"),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", &erlang),
            // Makes the start script become the Erlang machine.
            ("RUNNING_UNDER_SYSTEMD", "true"),
        ];
        let mut environment: Vec<_> =
            given.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        environment.push(("RABBITMQ_NODENAME", node_name(number)));
        environment.push(("RABBITMQ_DIST_PORT", self.service_port(30 + u16::from(number)).to_string()));
        environment.push(("ERL_EPMD_PORT", self.service_port(0).to_string()));
        environment
    }

    fn settings(&self, number: u8) -> String {
        let mut text = format!(
            "listeners.tcp.default = 127.0.0.1:{}\n\
             management.tcp.ip = 127.0.0.1\n\
             management.tcp.port = {}\n\
             default_user = {}\n\
             default_pass = {}\n\
             loopback_users = none\n\
             log.file = false\n\
             log.console = true\n\
             log.console.level = info\n\
             cluster_formation.peer_discovery_backend = classic_config\n",
            self.amqp_port(number),
            self.management_port(number),
            self.login.username,
            self.login.password,
        );
        for other in self.brokers() {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "cluster_formation.classic_config.nodes.{other} = {}", node_name(other));
        }
        text
    }

    fn management_port(&self, number: u8) -> u16 {
        self.service_port(20 + u16::from(number))
    }
}

/// The name of a broker among its kind.
pub fn node_name(number: u8) -> String {
    format!("broker-{number}@localhost")
}
