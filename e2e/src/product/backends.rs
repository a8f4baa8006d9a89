//! The broker and the store that the example uses.

use anyhow::{Context, Result, bail};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Where broker and store are, as pods and this machine reach them.
#[derive(Clone)]
pub struct Backends {
    /// The broker.
    pub broker: Broker,
    /// Connection string of the store.
    pub mongodb_uri: String,
}

/// Where the broker is, and the login.
#[derive(Clone)]
pub struct Broker {
    /// Host name or address.
    pub host: String,
    /// AMQP port.
    pub port: u16,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// Virtual host.
    pub vhost: String,
    /// Base URL of the management API, without login and final slash.
    pub management: String,
}

impl Broker {
    /// From `amqp://user:password@host:port/vhost` and `http://host:port`.
    pub fn parse(uri: &str, management: &str) -> Result<Self> {
        // The text of the URI holds a password: errors must not.
        let url = reqwest::Url::parse(uri)
            .context("the RabbitMQ URI is not of the form amqp://user:password@host/")?;
        if url.scheme() != "amqp" {
            bail!("the RabbitMQ URI begins with `{}`: only amqp:// is supported", url.scheme());
        }
        let management = reqwest::Url::parse(management)
            .with_context(|| format!("`{management}` is not the URL of RabbitMQ's management API"))?;
        let bare = management.origin().ascii_serialization() + management.path().trim_end_matches('/');
        let vhost = match url.path() {
            "" | "/" => "/".to_owned(),
            path => decoded(path.trim_start_matches('/'))?,
        };
        Ok(Self {
            host: url.host_str().context("the RabbitMQ URI names no host")?.to_owned(),
            port: url.port().unwrap_or(5672),
            username: decoded(url.username())?,
            password: decoded(url.password().context("the RabbitMQ URI has no password")?)?,
            vhost,
            management: bare,
        })
    }

    /// `amqp://user:password@host:port/vhost`.
    pub fn uri(&self) -> String {
        let Self { host, port, .. } = self;
        format!("amqp://{}@{host}:{port}/{}", self.login(), encoded(&self.vhost))
    }

    /// The management API's base URL with the login in it.
    pub fn management_with_login(&self) -> String {
        match self.management.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{}@{rest}", self.login()),
            None => self.management.clone(),
        }
    }

    fn login(&self) -> String {
        format!("{}:{}", encoded(&self.username), encoded(&self.password))
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn decoded(text: &str) -> Result<String> {
    Ok(percent_decode_str(text).decode_utf8().context("the RabbitMQ URI is not UTF-8")?.into_owned())
}

impl std::fmt::Debug for Backends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backends").field("broker", &self.broker).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, management, .. } = self;
        write!(f, "Broker({host}:{port}, {management})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_of_the_uri_are_used() {
        let broker = Broker::parse("amqp://a:p%40ss@mq:5673/%2fchat", "http://x:y@mq:15672/").unwrap();
        assert_eq!((broker.host.as_str(), broker.port), ("mq", 5673));
        assert_eq!((broker.username.as_str(), broker.password.as_str()), ("a", "p@ss"));
        assert_eq!((broker.vhost.as_str(), broker.management.as_str()), ("/chat", "http://mq:15672"));
    }

    #[test]
    fn the_usual_port_and_virtual_host_need_not_be_written() {
        for uri in ["amqp://a:b@mq", "amqp://a:b@mq/", "amqp://a:b@mq:5672/%2f"] {
            let broker = Broker::parse(uri, "http://mq:15672").unwrap();
            assert_eq!((broker.port, broker.vhost.as_str()), (5672, "/"), "{uri}");
        }
    }

    #[test]
    fn what_was_taken_apart_can_be_put_together() {
        let broker = Broker::parse("amqp://a:p%40ss@mq:5673/%2F", "http://mq:15672/").unwrap();
        assert_eq!(broker.uri(), "amqp://a:p%40ss@mq:5673/%2F");
        assert_eq!(broker.management_with_login(), "http://a:p%40ss@mq:15672");
    }

    #[test]
    fn an_error_does_not_show_the_password() {
        for uri in ["amqps://a:secret@mq", "a:secret@mq", "amqp://a:secret@"] {
            let error = format!("{:#}", Broker::parse(uri, "http://mq:15672").unwrap_err());
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
