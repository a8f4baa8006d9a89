//! The Secrets that a spec names, each read by a GET: Secrets are never listed or watched, so the operator holds no
//! others in memory. What is kept of them is a digest and the access to the broker.

use std::collections::BTreeMap;

use crds::binding::{auth, mongodb};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;

use super::read;
use crate::cluster::Cluster;
use crate::rabbitmq::Access;
use crate::reconcile::Context;
use crate::resources::digest;

/// HS256 keys below the length of the hash can be guessed (RFC 7518 §3.2).
const MIN_HS256_BYTES: usize = 32;

type Data = BTreeMap<String, ByteString>;

/// The state of each Secret that a spec names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Secrets {
    /// `spec.rabbitmq.secretRef`
    pub rabbitmq: SecretState,
    /// `spec.mongodb.secretRef`
    pub mongodb: SecretState,
    /// `spec.auth.secretRef`
    pub auth: SecretState,
    /// Digest of all three; absent unless all are usable. One digest, not three: the random HS256 key in it keeps
    /// those who may read pods but no Secrets from trying out passwords.
    pub digest: Option<String>,
}

/// The state of one Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SecretState {
    /// The spec does not say which.
    #[default]
    NotNamed,
    /// It has all that is needed.
    Usable,
    /// There is none of this name.
    Missing(String),
    /// A key is absent or unusable.
    Incomplete {
        /// Name of the Secret.
        secret: String,
        /// The key.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It could not be read; why.
    Unknown(String),
}

/// A key of a Secret is absent or unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidKey {
    /// The key.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Secrets {
    /// Each with the field that names it.
    pub fn all(&self) -> [(&'static str, &SecretState); 3] {
        [
            ("spec.rabbitmq.secretRef", &self.rabbitmq),
            ("spec.mongodb.secretRef", &self.mongodb),
            ("spec.auth.secretRef", &self.auth),
        ]
    }
}

impl InvalidKey {
    /// `key` is absent.
    pub fn absent(key: &str) -> Self {
        Self::new(key, "is absent")
    }

    /// `key` has a `problem`.
    pub fn new(key: &str, problem: impl Into<String>) -> Self {
        Self { key: key.to_owned(), problem: problem.into() }
    }
}

pub(super) async fn observe(ctx: &Context, cluster: &Cluster) -> (Secrets, Option<Access>) {
    let spec = cluster.spec.as_ref().ok();
    let name = |secret: Option<&crds::SecretRef>| secret.map(|secret| secret.name.clone());
    let (rabbitmq, mongodb, auth) = tokio::join!(
        fetch(ctx, cluster, name(cluster.rabbitmq.as_ref().map(|rabbitmq| &rabbitmq.secret_ref))),
        fetch(ctx, cluster, name(spec.map(|spec| &spec.mongodb.secret_ref))),
        fetch(ctx, cluster, name(spec.map(|spec| &spec.auth.secret_ref))),
    );
    let digest = digest_of([&rabbitmq, &mongodb, &auth]);
    let (rabbitmq, access) = rabbitmq.check(Access::from_secret);
    let (mongodb, _) = mongodb.check(check_mongodb);
    let (auth, _) = auth.check(check_auth);
    let usable = [&rabbitmq, &mongodb, &auth].into_iter().all(|state| *state == SecretState::Usable);
    (Secrets { rabbitmq, mongodb, auth, digest: digest.filter(|_| usable) }, access)
}

enum Fetched {
    Data(String, Data),
    Not(SecretState),
}

async fn fetch(ctx: &Context, cluster: &Cluster, name: Option<String>) -> Fetched {
    let Some(name) = name else { return Fetched::Not(SecretState::NotNamed) };
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), &cluster.namespace);
    match read(api.get_opt(&name)).await {
        Ok(Some(secret)) => Fetched::Data(name, secret.data.unwrap_or_default()),
        Ok(None) => Fetched::Not(SecretState::Missing(name)),
        Err(why) => Fetched::Not(SecretState::Unknown(why)),
    }
}

impl Fetched {
    fn check<T>(self, parse: impl FnOnce(&Data) -> Result<T, InvalidKey>) -> (SecretState, Option<T>) {
        match self {
            Self::Not(state) => (state, None),
            Self::Data(secret, data) => match parse(&data) {
                Ok(parsed) => (SecretState::Usable, Some(parsed)),
                Err(InvalidKey { key, problem }) => (SecretState::Incomplete { secret, key, problem }, None),
            },
        }
    }
}

fn check_mongodb(data: &Data) -> Result<(), InvalidKey> {
    let uri = data.get(mongodb::URI).ok_or_else(|| InvalidKey::absent(mongodb::URI))?;
    let is_uri = uri.0.starts_with(b"mongodb://") || uri.0.starts_with(b"mongodb+srv://");
    is_uri
        .then_some(())
        .ok_or_else(|| InvalidKey::new(mongodb::URI, "does not begin with mongodb:// or mongodb+srv://"))
}

fn check_auth(data: &Data) -> Result<(), InvalidKey> {
    let key = data.get(auth::HS256).ok_or_else(|| InvalidKey::absent(auth::HS256))?;
    (key.0.len() >= MIN_HS256_BYTES)
        .then_some(())
        .ok_or_else(|| InvalidKey::new(auth::HS256, format!("is shorter than {MIN_HS256_BYTES} bytes")))
}

fn digest_of(secrets: [&Fetched; 3]) -> Option<String> {
    let mut bytes = Vec::new();
    for secret in secrets {
        let Fetched::Data(_, data) = secret else { return None };
        for (key, value) in data {
            for part in [key.as_bytes(), value.0.as_slice()] {
                bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
                bytes.extend_from_slice(part);
            }
        }
    }
    Some(digest(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, &str)]) -> Data {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))).collect()
    }

    #[test]
    fn a_short_signing_key_is_refused() {
        assert_eq!(check_auth(&data(&[])).unwrap_err(), InvalidKey::absent("hs256"));
        assert!(check_auth(&data(&[("hs256", "short")])).unwrap_err().problem.contains("32 bytes"));
        assert!(check_auth(&data(&[("hs256", &"k".repeat(32))])).is_ok());
    }

    #[test]
    fn a_connection_string_must_look_like_one() {
        assert!(check_mongodb(&data(&[("uri", "localhost")])).is_err());
        assert!(check_mongodb(&data(&[("uri", "mongodb://store:27017")])).is_ok());
    }

    #[test]
    fn any_changed_byte_changes_the_digest() {
        let fetched = |value: &str| Fetched::Data("s".to_owned(), data(&[("k", value)]));
        let [a, b, c] = [fetched("1"), fetched("2"), fetched("3")];
        assert_ne!(digest_of([&a, &b, &c]), digest_of([&a, &c, &b]));
        assert_eq!(digest_of([&a, &b, &Fetched::Not(SecretState::NotNamed)]), None);
    }
}
