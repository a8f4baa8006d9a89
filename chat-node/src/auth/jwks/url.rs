//! Where keys may be fetched from.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// Longest URL, in characters.
const CHARS_MAX: usize = 2_048;

/// An `https` URL, or an `http` one of this machine; without a user or a password.
#[derive(Clone, PartialEq, Eq)]
pub struct JwksUrl(Url);

/// Keys must not be fetched from there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotJwksUrl {
    /// It cannot be read.
    #[error("it is not a URL of at most {CHARS_MAX} characters")]
    Form,
    /// Who is on the way could put in keys.
    #[error("it must begin with https:// (http:// is taken only for this machine itself)")]
    Insecure,
    /// It would be in logs.
    #[error("it must not hold a user or a password")]
    Credentials,
}

impl JwksUrl {
    pub(super) fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether it leads to this machine, without encryption.
    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }
}

impl FromStr for JwksUrl {
    type Err = NotJwksUrl;

    fn from_str(text: &str) -> Result<Self, NotJwksUrl> {
        let url = Url::parse(text).ok().filter(|url| url.has_host() && text.len() <= CHARS_MAX);
        let url = url.ok_or(NotJwksUrl::Form)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotJwksUrl::Credentials);
        }
        let is_safe = match url.scheme() {
            "https" => true,
            "http" => is_loopback(&url),
            _ => false,
        };
        if is_safe { Ok(Self(url)) } else { Err(NotJwksUrl::Insecure) }
    }
}

/// By the name or address in the URL itself: names can be made to resolve to anything.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Without its parameters, which may be secret.
impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.origin().ascii_serialization(), self.0.path())
    }
}

impl fmt::Debug for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwksUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for good in
            ["https://sso.example/keys", "http://127.0.0.1:9/k", "http://[::1]/k", "http://localhost/k"]
        {
            assert!(good.parse::<JwksUrl>().is_ok(), "{good}");
        }
        for bad in
            ["http://sso.example/keys", "http://127.0.0.1.example/", "file:///etc/keys", "http://10.0.0.1/"]
        {
            assert!(bad.parse::<JwksUrl>().is_err(), "{bad}");
        }
        assert_eq!("keys".parse::<JwksUrl>(), Err(NotJwksUrl::Form));
        assert_eq!("https://me:secret@sso.example/".parse::<JwksUrl>(), Err(NotJwksUrl::Credentials));
    }

    #[test]
    fn parameters_are_not_shown() {
        let url: JwksUrl = "https://sso.example/keys?code=secret".parse().unwrap();
        assert_eq!(url.to_string(), "https://sso.example/keys");
        assert!(!format!("{url:?}").contains("secret"));
    }
}
