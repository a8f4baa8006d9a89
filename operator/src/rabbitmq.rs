//! RabbitMQ's management API, as far as exchanges need it. Every call has a deadline and a typed error.
//!
//! Source: `https://www.rabbitmq.com/docs/http-api-reference`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crds::binding::rabbitmq as keys;
use k8s_openapi::ByteString;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::observe::InvalidKey;

const DEADLINE: Duration = Duration::from_secs(5);
const PAGE_SIZE: u32 = 500;
/// More than every partition of several epochs.
const MAX_PAGES: u32 = 20;
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
const DEFAULT_MANAGEMENT_PORT: u16 = 15_672;

/// Where a broker's management API is, and who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    base: Url,
    vhost: String,
    username: String,
    password: String,
}

/// One broker's management API.
#[derive(Clone, Debug)]
pub struct Management {
    http: Client,
    access: Access,
}

/// An exchange and all that tells it from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// `direct`, `fanout`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it outlives a restart of the broker.
    pub durable: bool,
    /// Whether it goes with its last binding.
    pub auto_delete: bool,
    /// Whether clients cannot publish to it.
    pub internal: bool,
    /// Further arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// Why the broker did not do as asked. The words are the same as long as the cause is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// No answer, or none that the management API would give.
    #[error("{base} cannot be reached: {problem}")]
    Unreachable {
        /// Address of the management API.
        base: String,
        /// What happened.
        problem: String,
    },
    /// The broker says no: credentials, permissions or virtual host.
    #[error("{base} refused: {problem}")]
    Refused {
        /// Address of the management API.
        base: String,
        /// Its words.
        problem: String,
    },
    /// An exchange of the name exists with other properties.
    #[error("exchange {exchange} exists with other properties: {problem}")]
    Mismatch {
        /// Name of the exchange.
        exchange: String,
        /// The broker's words.
        problem: String,
    },
}

impl Exchange {
    /// A durable exchange without arguments.
    pub fn durable(name: String, kind: &str) -> Self {
        Self {
            name,
            kind: kind.to_owned(),
            durable: true,
            auto_delete: false,
            internal: false,
            arguments: Map::new(),
        }
    }
}

impl Access {
    /// Reads the keys of [`crds::binding::rabbitmq`].
    ///
    /// # Errors
    /// Names the key that is absent or unusable.
    pub fn from_secret(data: &BTreeMap<String, ByteString>) -> Result<Self, InvalidKey> {
        let optional = |key: &str| -> Result<Option<String>, InvalidKey> {
            let text = data.get(key).map(|bytes| std::str::from_utf8(&bytes.0)).transpose();
            let text = text.map_err(|_| InvalidKey::new(key, "is not UTF-8 text"))?;
            Ok(text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned))
        };
        let required = |key: &str| optional(key)?.ok_or_else(|| InvalidKey::absent(key));
        let host = required(keys::HOST)?;
        let (base, source) = match optional(keys::MANAGEMENT_URI)? {
            Some(uri) => (uri, keys::MANAGEMENT_URI),
            None => (format!("http://{host}:{DEFAULT_MANAGEMENT_PORT}"), keys::HOST),
        };
        let base = Url::parse(&base).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let mut base = base.ok_or_else(|| InvalidKey::new(source, "does not make an http(s) URL"))?;
        // Credentials are two keys of their own; in the URL they would end up in messages.
        if base.set_username("").and_then(|()| base.set_password(None)).is_err() {
            return Err(InvalidKey::new(source, "does not make an http(s) URL"));
        }
        Ok(Self {
            base,
            vhost: optional(keys::VHOST)?.unwrap_or_else(|| "/".to_owned()),
            username: required(keys::USERNAME)?,
            password: required(keys::PASSWORD)?,
        })
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Page {
    page_count: u32,
    items: Vec<Exchange>,
}

#[derive(Deserialize)]
struct Complaint {
    error: Option<String>,
    reason: Option<String>,
}

impl Management {
    /// The management API behind `access`.
    pub fn new(http: Client, access: Access) -> Self {
        Self { http, access }
    }

    /// Every exchange whose name begins with `prefix`.
    ///
    /// # Errors
    /// If the broker cannot be reached or refuses.
    pub async fn exchanges(&self, prefix: &str) -> Result<Vec<Exchange>, BrokerError> {
        let mut found = Vec::new();
        for number in 1..=MAX_PAGES {
            let mut url = self.url(&[]);
            url.query_pairs_mut()
                .append_pair("page", &number.to_string())
                .append_pair("page_size", &PAGE_SIZE.to_string())
                .append_pair("name", prefix)
                .append_pair("use_regex", "false");
            let body = self.call(self.http.request(Method::GET, url)).await?;
            let page: Page = serde_json::from_slice(&body).map_err(|error| {
                self.unreachable(format!("its answer is not a page of exchanges: {error}"))
            })?;
            found.extend(page.items.into_iter().filter(|exchange| exchange.name.starts_with(prefix)));
            if number >= page.page_count {
                break;
            }
        }
        Ok(found)
    }

    /// Declares the exchange; one that is already so stays.
    ///
    /// # Errors
    /// Also [`BrokerError::Mismatch`] if it exists with other properties.
    pub async fn declare(&self, exchange: &Exchange) -> Result<(), BrokerError> {
        let request = self.http.request(Method::PUT, self.url(&[&exchange.name])).json(exchange);
        match self.call(request).await {
            Err(BrokerError::Refused { problem, .. }) if problem.contains("inequivalent arg") => {
                Err(BrokerError::Mismatch { exchange: exchange.name.clone(), problem })
            }
            other => other.map(|_| ()),
        }
    }

    /// Deletes the exchange of this name; one that is gone already is no error.
    ///
    /// # Errors
    /// If the broker cannot be reached or refuses.
    pub async fn delete(&self, name: &str) -> Result<(), BrokerError> {
        let response = self.send(self.http.request(Method::DELETE, self.url(&[name]))).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(());
        }
        self.read(response).await.map(|_| ())
    }

    /// `<base>/api/exchanges/<vhost>/<more…>`, each part escaped.
    fn url(&self, more: &[&str]) -> Url {
        let mut url = self.access.base.clone();
        // http and https URLs always have path segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "exchanges", &self.access.vhost]).extend(more);
        }
        url
    }

    async fn call(&self, request: RequestBuilder) -> Result<Vec<u8>, BrokerError> {
        let response = self.send(request).await?;
        self.read(response).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, BrokerError> {
        let request =
            request.basic_auth(&self.access.username, Some(&self.access.password)).timeout(DEADLINE);
        request.send().await.map_err(|error| self.unreachable(crate::http::explain(&error)))
    }

    async fn read(&self, response: Response) -> Result<Vec<u8>, BrokerError> {
        let status = response.status();
        let body = crate::http::body(response, MAX_ANSWER_BYTES)
            .await
            .map_err(|problem| self.unreachable(problem))?;
        if status.is_success() {
            return Ok(body);
        }
        let problem = match serde_json::from_slice::<Complaint>(&body) {
            Ok(Complaint { error, reason }) => {
                format!("{status}: {}", reason.or(error).unwrap_or_default())
            }
            Err(_) => status.to_string(),
        };
        if status.is_client_error() {
            Err(BrokerError::Refused { base: self.base(), problem })
        } else {
            Err(self.unreachable(problem))
        }
    }

    fn unreachable(&self, problem: String) -> BrokerError {
        BrokerError::Unreachable { base: self.base(), problem }
    }

    fn base(&self) -> String {
        self.access.base.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(pairs: &[(&str, &str)]) -> BTreeMap<String, ByteString> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))).collect()
    }

    const COMPLETE: [(&str, &str); 3] = [("host", "mq.services"), ("username", "u"), ("password", "geheim")];

    #[test]
    fn the_usual_port_and_virtual_host_need_not_be_said() {
        let access = Access::from_secret(&secret(&COMPLETE)).unwrap();
        let management = Management::new(crate::http::client().unwrap(), access);
        assert_eq!(
            management.url(&["vt.a.b.control"]).as_str(),
            "http://mq.services:15672/api/exchanges/%2F/vt.a.b.control"
        );
    }

    #[test]
    fn every_missing_key_is_named() {
        for (missing, _) in COMPLETE {
            let rest: Vec<_> = COMPLETE.into_iter().filter(|(key, _)| *key != missing).collect();
            assert_eq!(Access::from_secret(&secret(&rest)).unwrap_err(), InvalidKey::absent(missing));
        }
    }

    #[test]
    fn a_management_uri_must_be_http() {
        let mut pairs = COMPLETE.to_vec();
        pairs.push(("management-uri", "amqp://mq"));
        assert_eq!(Access::from_secret(&secret(&pairs)).unwrap_err().key, "management-uri");
    }

    #[test]
    fn credentials_are_not_shown() {
        let mut pairs = COMPLETE.to_vec();
        pairs.push(("management-uri", "https://root:geheim@mq:15671/prefix/"));
        let access = Access::from_secret(&secret(&pairs)).unwrap();
        assert!(!format!("{access:?}").contains("geheim"));
        let management = Management::new(crate::http::client().unwrap(), access);
        assert_eq!(management.url(&["x"]).as_str(), "https://mq:15671/prefix/api/exchanges/%2F/x");
    }
}
