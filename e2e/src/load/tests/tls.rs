//! A service whose way in is encrypted.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::load::generator::stream;
use crate::load::tls::Tls;

const PROFILE: &str = "{description: small, users: 50, official: {messagesPerSecond: 10}, \
    groups: {count: 5, size: 10, messagesPerSecond: 10}, events: [{at: 1s, cutPercent: 20}], duration: 2s}";

/// A chat node behind a proxy that ends TLS.
struct Front {
    port: u16,
    /// Holds the key that the chat node takes tokens of, and the authority of the certificate.
    directory: tempfile::TempDir,
    _node: BareNode,
    _proxy: AbortOnDropHandle<()>,
}

impl Front {
    async fn start() -> Option<Self> {
        let program = chat_node()?;
        // An error only says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let node = BareNode::start(&paths(&directory), &program).await.unwrap();
        fs::write(directory.path().join("key"), BareNode::KEY).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (authority, config) = certified();
        fs::write(directory.path().join("ca.crt"), authority).unwrap();
        let backend = node.url().trim_start_matches("http://").parse().unwrap();
        let proxy = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), backend));
        Some(Self { port, directory, _node: node, _proxy: AbortOnDropHandle::new(proxy) })
    }

    /// A run that trusts the authority in `ca`, or those of the machine.
    async fn measured(&self, scheme: &str, ca: Option<&Path>) -> Result<Report> {
        let target = format!("{scheme}://127.0.0.1:{}", self.port);
        let key = self.directory.path().join("key");
        let key = key.to_string_lossy();
        let line = ["e2e", "load", "small", "--target", &target, "--signing-key-file", &key];
        let Command::Load(mut load) = Cli::parse_from(line).command else { panic!("not load") };
        load.ca_file = ca.map(Path::to_path_buf);
        let profile = Profile::parse(PROFILE).unwrap();
        measure(&paths(&self.directory), &Progress::start(), ("small", profile, &load)).await
    }
}

fn paths(state: &tempfile::TempDir) -> Paths {
    Paths { state: state.path().to_path_buf(), ..Paths::discover().unwrap() }
}

fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (pem, Issuer::new(params, key))
}

/// An authority as PEM, and a server that has a certificate of it.
fn certified() -> (String, ServerConfig) {
    let (pem, authority) = authority("the service's");
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let leaf: CertificateDer<'static> = leaf.signed_by(&key, &authority).unwrap().into();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![leaf], key).unwrap();
    (pem, config)
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, backend: SocketAddr) {
    while let Ok((client, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let mut client = acceptor.accept(client).await?;
            let mut server = TcpStream::connect(backend).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await
        });
    }
}

#[tokio::test]
async fn an_encrypted_service_is_loaded_as_a_plain_one() {
    let Some(front) = Front::start().await else { return };
    let ca = front.directory.path().join("ca.crt");
    let report = front.measured("wss", Some(&ca)).await.unwrap();
    assert!(report.is_clean(), "{report}");
    let counts = &report.counts;
    assert_eq!((counts.sends, counts.acks), (40, 40), "{report}");
    assert_eq!(counts.deliveries + counts.replays, 20 * 50 + 20 * 10, "{report}");
    assert!(counts.cut_by_run > 0, "{report}");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_and_the_error_says_what_to_do() {
    let Some(front) = Front::start().await else { return };
    let other = front.directory.path().join("other.crt");
    fs::write(&other, authority("somebody else's").0).unwrap();
    for ca in [Some(&*other), None] {
        let error = format!("{:#}", front.measured("https", ca).await.unwrap_err());
        assert!(error.contains("--ca-file") && error.contains("cannot be reached"), "{error}");
    }
    let missing = front.directory.path().join("missing.crt");
    let error = front.measured("https", Some(&missing)).await.unwrap_err().to_string();
    assert!(error.contains("missing.crt"), "{error}");
}

#[tokio::test]
async fn what_does_not_fit_into_the_sockets_waits_and_comes_in_order() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    let (pem, config) = certified();
    let ca = directory.path().join("ca.crt");
    fs::write(&ca, pem).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let echo = async move {
        let client = TlsAcceptor::from(Arc::new(config)).accept(listener.accept().await?.0).await?;
        let (mut read, mut write) = tokio::io::split(client);
        tokio::io::copy(&mut read, &mut write).await
    };
    let _echo = AbortOnDropHandle::new(tokio::spawn(echo));
    let said: Vec<u8> = (0..8_000_000_u32).map(|number| (number / 251) as u8).collect();
    let tls = Tls::of("127.0.0.1", Some(&ca)).unwrap();
    let socket = TcpStream::connect(address).await.unwrap();
    let (mut source, mut sink) = stream::open(socket, Some(&tls)).await.unwrap();
    let mut heard = vec![0; said.len()];
    let (written, read) = tokio::join!(sink.write_all(&said), source.read_exact(&mut heard));
    assert_eq!((written.unwrap(), read.unwrap()), ((), said.len()));
    assert!(heard == said && !sink.holds());
}
