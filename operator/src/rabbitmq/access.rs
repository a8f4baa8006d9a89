//! Where a broker's management API is, and who asks: the keys of a Secret.

use std::collections::BTreeMap;
use std::fmt;

use crds::binding::rabbitmq as keys;
use k8s_openapi::ByteString;
use reqwest::Url;

use crate::observe::InvalidKey;

const DEFAULT_MANAGEMENT_PORT: u16 = 15_672;

/// Where a broker's management API is, and who asks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    pub(super) base: Url,
    pub(super) vhost: String,
    pub(super) username: String,
    pub(super) password: String,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::Management;

    fn secret(pairs: &[(&str, &str)]) -> BTreeMap<String, ByteString> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))).collect()
    }

    const COMPLETE: [(&str, &str); 3] = [("host", "mq.services"), ("username", "u"), ("password", "geheim")];

    #[test]
    fn the_usual_port_and_virtual_host_need_not_be_said() {
        let access = Access::from_secret(&secret(&COMPLETE)).unwrap();
        let management = Management::new(crate::http::client().unwrap(), access);
        assert_eq!(
            management.url(&["exchanges", "/", "vt.a.b.control"]).as_str(),
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
        assert_eq!(management.url(&["x"]).as_str(), "https://mq:15671/prefix/api/x");
    }
}
