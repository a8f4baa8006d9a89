//! A service that somebody else runs.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use rustls::CertificateError::UnknownIssuer;
use tokio::net::TcpStream;

use super::{Service, Started};
use crate::args::Load;
use crate::client::{Gateway, SigningKey};
use crate::load::generator::{Way, stream};
use crate::load::tls::Tls;

const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// The service at a URL; an encrypted one is asked who it is, before thousands are.
pub async fn find(url: &str, load: &Load) -> Result<Service> {
    let file = load.signing_key_file.as_deref();
    let file = file.context("whose tokens does the service take? Name the key with --signing-key-file")?;
    let key = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let way = way(url, load.ca_file.as_deref())?;
    if let Some(tls) = &way.tls {
        let met = tokio::time::timeout(ANSWERED_WITHIN, meet(way.addresses[0], tls)).await;
        met.with_context(|| format!("{url} did not answer in {ANSWERED_WITHIN:?}"))?
            .with_context(|| format!("{url} cannot be reached"))?;
    }
    Ok(Service {
        way,
        key: SigningKey::new(key),
        watched: Vec::new(),
        versions: Vec::new(),
        keeps_apart: false,
        started: Started::Nothing,
    })
}

/// `ws` and `wss` are other words for `http` and `https`.
fn way(url: &str, authority: Option<&Path>) -> Result<Way> {
    let url = match url.strip_prefix("ws") {
        Some(rest) => format!("http{rest}"),
        None => url.to_owned(),
    };
    let parsed = reqwest::Url::parse(&url).with_context(|| format!("`{url}` is not a URL"))?;
    let Gateway { address, host } = Gateway::locate(&parsed)?;
    let tls = match (parsed.scheme(), parsed.host_str()) {
        ("https", Some(host)) => Some(Tls::of(host, authority)?),
        _ => None,
    };
    Ok(Way { tls, ..Way::plain(vec![address], host) })
}

async fn meet(address: SocketAddr, tls: &Tls) -> Result<()> {
    let socket = TcpStream::connect(address).await?;
    stream::open(socket, Some(tls)).await.map(drop).map_err(explained)
}

/// What is to be done about a certificate that nobody here vouches for.
fn explained(error: io::Error) -> Error {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let is_unknown = matches!(tls, Some(rustls::Error::InvalidCertificate(UnknownIssuer)));
    let error = Error::from(error);
    if is_unknown {
        return error.context("its certificate is from an unknown authority; name that with --ca-file FILE");
    }
    error
}
