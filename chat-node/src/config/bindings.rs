//! Credentials as files, after the Service Binding Specification for Kubernetes: see [`crds::binding`].

use std::path::{Path, PathBuf};

use crds::binding::{auth, mongodb, rabbitmq};

use super::ConfigError;
use crate::auth::keys::Secrecy;
use crate::auth::{Keys, SigningKey};
use crate::bus::rabbitmq::Credentials;

const AMQP_PORT: u16 = 5_672;

/// The connection string; `None`: there is no such service.
pub(super) fn mongodb(root: &Path) -> Result<Option<String>, ConfigError> {
    let Some(binding) = Binding::open(root, mongodb::DIRECTORY) else { return Ok(None) };
    binding.required(mongodb::URI).map(Some)
}

/// Where the broker is; `None`: there is no such service.
pub(super) fn rabbitmq(root: &Path) -> Result<Option<Credentials>, ConfigError> {
    let Some(binding) = Binding::open(root, rabbitmq::DIRECTORY) else { return Ok(None) };
    let port = match binding.optional(rabbitmq::PORT)? {
        None => AMQP_PORT,
        Some(text) => text.parse().map_err(|_| {
            binding
                .unusable(rabbitmq::PORT, format!("`{text}` is not a port: write a number from 1 to 65535"))
        })?,
    };
    Ok(Some(Credentials {
        host: binding.required(rabbitmq::HOST)?,
        port,
        username: binding.required(rabbitmq::USERNAME)?,
        password: binding.required(rabbitmq::PASSWORD)?,
        vhost: binding.optional(rabbitmq::VHOST)?.unwrap_or_else(|| "/".to_owned()),
    }))
}

/// What tokens are verified with; `None`: there is no such service.
pub(super) fn token_keys(root: &Path) -> Result<Option<Keys>, ConfigError> {
    let Some(binding) = Binding::open(root, auth::DIRECTORY) else { return Ok(None) };
    let mut keys = Keys::default();
    if let Some(secret) = binding.bytes(auth::HS256)? {
        // Every byte counts: a key is no text.
        let secret = SigningKey::new(secret);
        keys.extend(secret.map_err(|error| binding.unusable(auth::HS256, error.to_string()))?.into());
    }
    if let Some(public) = binding.optional(auth::EDDSA)? {
        let public = Keys::ed25519(&public);
        keys.extend(public.map_err(|error| binding.unusable(auth::EDDSA, error.to_string()))?);
    }
    if let Some(set) = binding.bytes(auth::JWKS)? {
        let set = Keys::of_set(&set, Secrecy::Secret);
        keys.extend(set.map_err(|error| binding.unusable(auth::JWKS, error.to_string()))?);
    }
    if keys.is_empty() {
        let names = [auth::HS256, auth::EDDSA, auth::JWKS].join("`, `");
        return Err(ConfigError::Binding { path: binding.0, reason: format!("it holds none of `{names}`") });
    }
    Ok(Some(keys))
}

struct Binding(PathBuf);

impl Binding {
    fn open(root: &Path, directory: &str) -> Option<Self> {
        let directory = root.join(directory);
        directory.is_dir().then_some(Self(directory))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.0.join(key)
    }

    fn bytes(&self, key: &str) -> Result<Option<Vec<u8>>, ConfigError> {
        match std::fs::read(self.path(key)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unusable(key, error.to_string())),
        }
    }

    /// Without the line end that editors add.
    fn optional(&self, key: &str) -> Result<Option<String>, ConfigError> {
        let Some(bytes) = self.bytes(key)? else { return Ok(None) };
        let text = String::from_utf8(bytes).map_err(|_| self.unusable(key, "it is no UTF-8".to_owned()))?;
        Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
    }

    fn required(&self, key: &str) -> Result<String, ConfigError> {
        let value = self.optional(key)?.filter(|value| !value.is_empty());
        value.ok_or_else(|| self.unusable(key, "it is absent or empty".to_owned()))
    }

    fn unusable(&self, key: &str, reason: String) -> ConfigError {
        ConfigError::Binding { path: self.path(key), reason }
    }
}
