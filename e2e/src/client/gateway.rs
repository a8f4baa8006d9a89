//! The way to a chat service.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::frame::Message;

/// Where a chat service is: the address to connect to, and the name to ask for there.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Where connections go.
    pub address: SocketAddr,
    /// What the `Host` header says.
    pub host: String,
}

impl Gateway {
    /// The chat service at an `http://` URL.
    pub fn at(url: &str) -> Result<Self> {
        let parsed = reqwest::Url::parse(url).with_context(|| format!("`{url}` is not a URL"))?;
        if parsed.scheme() != "http" {
            bail!("`{url}`: the tests' client speaks plain http only");
        }
        Self::locate(&parsed)
    }

    /// The chat service at a URL, whatever is spoken there.
    pub fn locate(url: &reqwest::Url) -> Result<Self> {
        let name = url.host_str().with_context(|| format!("`{url}` names no host"))?;
        let addresses =
            url.socket_addrs(|| None).with_context(|| format!("cannot find the host of {url}"))?;
        let address = *addresses.first().with_context(|| format!("the host of {url} has no address"))?;
        let host = url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
        Ok(Self { address, host })
    }

    /// Another chat service at the same address, told apart by its host name.
    pub fn with_host(&self, host: &str) -> Self {
        Self { address: self.address, host: host.to_owned() }
    }

    /// The last `limit` messages of a channel as its REST API gives them, newest first.
    pub async fn history(&self, token: &str, channel: &str, limit: u16) -> Result<Vec<Message>> {
        #[derive(Deserialize)]
        struct Page {
            messages: Vec<Message>,
        }
        let path = format!("channels/{channel}/messages?limit={limit}");
        let page: Page = self.ask(reqwest::Method::GET, &path, (token, None)).await?;
        Ok(page.messages)
    }

    /// All messages of a channel as its REST API gives them, oldest first.
    pub async fn whole_history(&self, token: &str, channel: &str) -> Result<Vec<Message>> {
        #[derive(Deserialize)]
        struct Page {
            messages: Vec<Message>,
            next: Option<String>,
        }
        let mut all = Vec::new();
        let mut before = String::new();
        loop {
            let path = format!("channels/{channel}/messages?limit=100{before}");
            let page: Page = self.ask(reqwest::Method::GET, &path, (token, None)).await?;
            all.extend(page.messages);
            match page.next {
                Some(next) => before = format!("&before={next}"),
                None => break,
            }
        }
        all.reverse();
        Ok(all)
    }

    /// Asks the REST API for something below `/api/v1/`, with a body if there is one.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: reqwest::Method,
        path: &str,
        (token, body): (&str, Option<&serde_json::Value>),
    ) -> Result<T> {
        let url = format!("http://{}/api/v1/{path}", self.address);
        let request = reqwest::Client::new().request(method, &url).header("host", &self.host);
        let request = request.bearer_auth(token).timeout(super::PATIENCE);
        let request = if let Some(body) = body { request.json(body) } else { request };
        let response = request.send().await?;
        let (status, text) = (response.status(), response.text().await?);
        if !status.is_success() {
            bail!("{url} answered {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{url} answered something else"))
    }
}
