//! Credentials as files, after the Service Binding Specification for Kubernetes: see [`crds::binding`].

use std::path::{Path, PathBuf};

use crds::binding::{auth, mongodb, rabbitmq};

use super::ConfigError;
use crate::auth::SigningKey;
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

/// The key that signs tokens; `None`: there is none.
pub(super) fn signing_key(root: &Path) -> Result<Option<SigningKey>, ConfigError> {
    let Some(binding) = Binding::open(root, auth::DIRECTORY) else { return Ok(None) };
    let path = binding.path(auth::HS256);
    // Every byte counts: a key is no text.
    let bytes = std::fs::read(&path).map_err(|error| binding.unusable(auth::HS256, error.to_string()))?;
    SigningKey::new(bytes).map(Some).map_err(|error| binding.unusable(auth::HS256, error.to_string()))
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

    /// Without the line end that editors add.
    fn optional(&self, key: &str) -> Result<Option<String>, ConfigError> {
        match std::fs::read_to_string(self.path(key)) {
            Ok(text) => Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unusable(key, error.to_string())),
        }
    }

    fn required(&self, key: &str) -> Result<String, ConfigError> {
        let value = self.optional(key)?.filter(|value| !value.is_empty());
        value.ok_or_else(|| self.unusable(key, "it is absent or empty".to_owned()))
    }

    fn unusable(&self, key: &str, reason: String) -> ConfigError {
        ConfigError::Binding { path: self.path(key), reason }
    }
}
