//! Who must be at the other end of an encrypted connection.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// How connections are encrypted, and whom they must reach.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// For a host whose certificate comes from the authority in a PEM file, or from one that this machine trusts.
    pub fn of(host: &str, authority: Option<&Path>) -> Result<Self> {
        let roots = match authority {
            Some(file) => of_file(file)?,
            None => of_machine()?,
        };
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        // Each user is somebody else, who has not been there before: nobody goes on with another one's session.
        config.resumption = Resumption::disabled();
        let name = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).with_context(|| format!("no certificate can name `{host}`"))?;
        Ok(Self { config: Arc::new(config), name })
    }

    /// Whom connections must reach.
    pub fn name(&self) -> Cow<'_, str> {
        self.name.to_str()
    }

    /// A session that has not begun.
    pub fn session(&self) -> Result<ClientConnection, rustls::Error> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone())
    }

    /// The same for a client that makes its own sessions.
    pub fn config(&self) -> ClientConfig {
        (*self.config).clone()
    }
}

fn of_file(file: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(file).with_context(|| format!("cannot read {}", file.display()))?;
    for certificate in certificates {
        let certificate = certificate.with_context(|| format!("{} is not PEM", file.display()))?;
        roots.add(certificate).with_context(|| format!("{} holds no good certificate", file.display()))?;
    }
    ensure!(!roots.is_empty(), "{} holds no certificate", file.display());
    Ok(roots)
}

fn of_machine() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ensure!(!roots.is_empty(), "this machine trusts no authority; name the service's with --ca-file");
    Ok(roots)
}
