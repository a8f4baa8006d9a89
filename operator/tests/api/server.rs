//! One etcd and one API server for all tests of this binary, on free ports of the loopback, ended with it.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::config::AuthInfo;
use kube::{Client, Config};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

const ADMIN_TOKEN: &str = "admin-token";
const OPERATOR_TOKEN: &str = "operator-token";
const START_DEADLINE: Duration = Duration::from_secs(120);

/// Addresses of the running server.
pub struct Server {
    url: String,
    certificate: Vec<u8>,
    directory: PathBuf,
    /// Whether the definitions of optional kinds are installed.
    pub has_optional_kinds: bool,
}

/// The server; `None`, with a line that says so, where its programs are not at hand.
pub async fn server() -> Option<&'static Server> {
    static SERVER: OnceCell<Result<Server, String>> = OnceCell::const_new();
    let Some(programs) = env::var_os("KUBEBUILDER_ASSETS") else {
        println!("left out: needs an API server, set KUBEBUILDER_ASSETS");
        return None;
    };
    // A failure is kept too: every test says it, none tries again.
    let server = SERVER.get_or_init(|| Server::start(Path::new(&programs))).await;
    Some(server.as_ref().unwrap_or_else(|log| panic!("no API server: {log}")))
}

impl Server {
    /// As someone who may do everything.
    pub fn admin(&self) -> Config {
        self.config(ADMIN_TOKEN)
    }

    /// As someone who may do only what the operator asks for.
    pub fn operator(&self) -> Config {
        self.config(OPERATOR_TOKEN)
    }

    /// The operator's kubeconfig, with `namespace` as its default.
    pub fn kubeconfig(&self, namespace: &str) -> PathBuf {
        let path = self.directory.join(format!("{namespace}.kubeconfig"));
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "operator", "namespace": namespace } }],
            "clusters": [{ "name": "test", "cluster": {
                "server": self.url, "certificate-authority": self.directory.join("ca.crt"),
            } }],
            "users": [{ "name": "operator", "user": { "token": OPERATOR_TOKEN } }],
        });
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    fn config(&self, token: &str) -> Config {
        let mut config = Config::new(self.url.parse().unwrap());
        config.root_cert = Some(vec![self.certificate.clone()]);
        config.auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
        config
    }

    async fn start(programs: &Path) -> Result<Self, String> {
        let directory = tempfile::Builder::new().prefix("vibetalk-api-").tempdir().unwrap().keep();
        let [client_port, peer_port, api_port] = free_ports();
        let certificate = write_certificates(&directory);
        fs::write(
            directory.join("tokens.csv"),
            format!("{ADMIN_TOKEN},admin,admin,system:masters\n{OPERATOR_TOKEN},operator,operator\n"),
        )
        .unwrap();
        let etcd = format!("http://127.0.0.1:{client_port}");
        start_etcd(programs, &directory, &etcd, peer_port);
        start_api_server(programs, &directory, &etcd, api_port);
        let url = format!("https://127.0.0.1:{api_port}");
        let mut server = Self { url, certificate, directory, has_optional_kinds: false };
        let admin = Client::try_from(server.admin()).unwrap();
        server.wait_until_ready(&admin).await?;
        install(&admin, crds::yaml::definition()).await;
        server.has_optional_kinds = install_optional_kinds(&admin).await;
        grant(&admin).await;
        Ok(server)
    }

    async fn wait_until_ready(&self, admin: &Client) -> Result<(), String> {
        let started = Instant::now();
        while started.elapsed() < START_DEADLINE {
            let request = axum::http::Request::get("/readyz").body(Vec::new()).unwrap();
            if admin.request_text(request).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = fs::read_to_string(self.directory.join("kube-apiserver.log")).unwrap_or_default();
        Err(format!("not ready in {} s: {log}", START_DEADLINE.as_secs()))
    }
}

fn free_ports() -> [u16; 3] {
    // All three are held until all are known, so that they differ.
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Certificate authority and server certificate for 127.0.0.1, and the key that signs service account tokens. Returns
/// the authority's certificate.
fn write_certificates(directory: &Path) -> Vec<u8> {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let accounts = KeyPair::generate().unwrap();
    let server =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    for (name, text) in [
        ("ca.crt", authority.pem()),
        ("server.crt", server.pem()),
        ("server.key", key.serialize_pem()),
        ("accounts.key", accounts.serialize_pem()),
        ("accounts.pub", accounts.public_key_pem()),
    ] {
        fs::write(directory.join(name), text).unwrap();
    }
    authority.der().to_vec()
}

fn start_etcd(programs: &Path, directory: &Path, url: &str, peer_port: u16) {
    let peer = format!("http://127.0.0.1:{peer_port}");
    start(
        programs,
        directory,
        "etcd",
        &[
            format!("--data-dir={}", directory.join("etcd").display()),
            format!("--listen-client-urls={url}"),
            format!("--advertise-client-urls={url}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".to_owned(),
        ],
    );
}

fn start_api_server(programs: &Path, directory: &Path, etcd: &str, port: u16) {
    let file = |name: &str| directory.join(name).display().to_string();
    start(
        programs,
        directory,
        "kube-apiserver",
        &[
            format!("--etcd-servers={etcd}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", file("server.crt")),
            format!("--tls-private-key-file={}", file("server.key")),
            format!("--service-account-key-file={}", file("accounts.pub")),
            format!("--service-account-signing-key-file={}", file("accounts.key")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--token-auth-file={}", file("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
        ],
    );
}

/// Starts a program that ends with this process, however this process ends: its keeper waits for the end of a pipe
/// that only this process holds. The last keeper removes the directory.
fn start(programs: &Path, directory: &Path, name: &str, arguments: &[String]) {
    const KEEPER: &str = r#"trap '' HUP INT TERM
        directory=$1; shift
        "$@" >/dev/null 2>"$directory/$(basename "$1").log" </dev/null &
        program=$!
        cat >/dev/null
        kill -9 $program; wait $program 2>/dev/null
        rm -rf "$directory""#;
    let keeper = Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(directory)
        .arg(programs.join(name))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
    // The pipe must stay open as long as this process lives.
    std::mem::forget(keeper);
}

/// The definitions in the files that `VIBETALK_TEST_DEFINITIONS` names, separated by colons: those of the Gateway API,
/// the Prometheus operator and KEDA.
async fn install_optional_kinds(admin: &Client) -> bool {
    let Some(files) = env::var_os("VIBETALK_TEST_DEFINITIONS") else { return false };
    for file in env::split_paths(&files) {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        install(admin, serde_yaml::from_str(&text).unwrap()).await;
    }
    true
}

pub async fn install(admin: &Client, definition: CustomResourceDefinition) {
    let api: Api<CustomResourceDefinition> = Api::all(admin.clone());
    let name = definition.metadata.name.clone().unwrap();
    api.patch(&name, &PatchParams::apply("test"), &Patch::Apply(&definition)).await.unwrap();
    let established = kube::runtime::conditions::is_crd_established();
    let wait = kube::runtime::wait::await_condition(api, &name, established);
    tokio::time::timeout(START_DEADLINE, wait).await.unwrap().unwrap();
}

/// Gives the operator what its chart gives it, and nothing else.
async fn grant(admin: &Client) {
    let helpers = include_str!("../../../charts/vibetalk-operator/templates/_helpers.tpl");
    let (_, rules) = helpers.split_once("{{- define \"operator.rules\" -}}").unwrap();
    let (rules, _) = rules.split_once("{{- end -}}").unwrap();
    let mut rules: Vec<Value> = serde_yaml::from_str(rules).unwrap();
    // In the operator's own namespace only.
    rules.push(json!({
        "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch"],
    }));
    let role = json!({ "metadata": { "name": "vibetalk-operator" }, "rules": rules });
    let binding = json!({
        "metadata": { "name": "vibetalk-operator" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "vibetalk-operator" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "operator" }],
    });
    let role: ClusterRole = serde_json::from_value(role).unwrap();
    let binding: ClusterRoleBinding = serde_json::from_value(binding).unwrap();
    Api::all(admin.clone()).create(&PostParams::default(), &role).await.unwrap();
    Api::all(admin.clone()).create(&PostParams::default(), &binding).await.unwrap();
}
