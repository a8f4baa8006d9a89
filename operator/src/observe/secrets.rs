//! The Secrets that a spec names, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use std::sync::Arc;

use crds::binding::{auth, mongodb};
use crds::node::Dependency;
use k8s_openapi::ByteString;
use tokio::time::Instant;

use super::{BrokerState, PodState, Seen, ports, read};
use crate::cache::SecretData;
use crate::cluster::Cluster;
use crate::rabbitmq::Access;
use crate::reconcile::Context;
use crate::resources::digest;

/// HS256 keys below the length of the hash can be guessed (RFC 7518 §3.2).
const MIN_HS256_BYTES: usize = 32;

/// What a Secret holds.
pub(super) type Data = BTreeMap<String, ByteString>;

/// The state of each Secret that a spec names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Secrets {
    /// `spec.rabbitmq.secretRef`, or the one behind `spec.rabbitmq.clusterRef`
    pub rabbitmq: SecretState,
    /// `spec.mongodb.secretRef`
    pub mongodb: SecretState,
    /// `spec.auth.secretRef`
    pub auth: SecretState,
    /// Digest of all; absent unless all are usable. One digest, not three: the random HS256 key in it keeps those who
    /// may read pods but no Secrets from trying out passwords. Where there is no such key, it is of the Secrets'
    /// versions.
    pub digest: Option<String>,
    /// Ports of broker and store; absent unless both Secrets are usable.
    pub ports: Option<BTreeSet<u16>>,
}

/// The state of one Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SecretState {
    /// The spec does not say which.
    #[default]
    NotNamed,
    /// The spec does without it.
    NotNeeded,
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
    pub fn all(&self, cluster: &Cluster) -> [(&'static str, &SecretState); 3] {
        [
            (cluster.broker_field(), &self.rabbitmq),
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

/// `noticed`: since when the operator knows of the cluster as it is.
pub(super) async fn observe(ctx: &Context, cluster: &Cluster, noticed: Instant) -> (Secrets, Option<Access>) {
    let spec = cluster.spec.as_ref().ok();
    let name = |secret: Option<&crds::SecretRef>| secret.map(|secret| secret.name.clone());
    let rabbitmq = cluster.rabbitmq.as_ref().and_then(|rabbitmq| rabbitmq.secret_name());
    // Whoever makes a cluster has often just made its Secrets too. What is known of those of an earlier one of the same
    // name would start its pods once, and what is true now start them again.
    let since = cluster.status.observed_generation.is_none().then_some(noticed);
    let fetch = async |name| fetch(ctx, cluster, (name, since)).await;
    let (rabbitmq, mongodb, auth) = tokio::join!(
        fetch(rabbitmq.map(std::borrow::Cow::into_owned)),
        fetch(name(spec.map(|spec| &spec.mongodb.secret_ref))),
        async {
            match spec.map(|spec| spec.auth.secret_ref.as_ref()) {
                Some(None) => Fetched::Not(SecretState::NotNeeded),
                named => fetch(name(named.flatten())).await,
            }
        },
    );
    let digest = digest_of([&rabbitmq, &mongodb, &auth]);
    let ports = rabbitmq.data().zip(mongodb.data()).map(|(rabbitmq, mongodb)| ports::of(rabbitmq, mongodb));
    let (rabbitmq, access) = rabbitmq.check(Access::from_secret);
    let (mongodb, _) = mongodb.check(check_mongodb);
    let (auth, _) = auth.check(check_auth);
    let is_enough = |state: &SecretState| matches!(state, SecretState::Usable | SecretState::NotNeeded);
    let usable = [&rabbitmq, &mongodb, &auth].into_iter().all(is_enough);
    let ports = ports.filter(|_| [&rabbitmq, &mongodb].into_iter().all(is_enough));
    (Secrets { rabbitmq, mongodb, auth, digest: digest.filter(|_| usable), ports }, access)
}

/// Has the Secrets read anew at the next visit where what they say is refused or leads nowhere: they may have been
/// changed since.
pub(super) fn doubt(ctx: &Context, cluster: &Cluster, (broker, pods): (&BrokerState, &Seen<Vec<PodState>>)) {
    let cut_off =
        |pod: &PodState| pod.report.known().is_some_and(|report| report.store != Dependency::Reachable);
    let forget = |name: &str| ctx.cache.secrets.forget(&cluster.namespace, name);
    if let (BrokerState::Failed(_), Some(rabbitmq)) = (broker, &cluster.rabbitmq) {
        rabbitmq.secret_name().iter().for_each(|name| forget(name));
    }
    if let (Some(true), Ok(spec)) = (pods.known().map(|pods| pods.iter().any(cut_off)), &cluster.spec) {
        forget(&spec.mongodb.secret_ref.name);
    }
}

enum Fetched {
    Data { name: String, secret: Arc<SecretData> },
    Not(SecretState),
}

/// A Secret by its name, not older than `since`.
async fn fetch(
    ctx: &Context,
    cluster: &Cluster,
    (name, since): (Option<String>, Option<Instant>),
) -> Fetched {
    let Some(name) = name else { return Fetched::Not(SecretState::NotNamed) };
    match read(ctx.cache.secrets.get(&ctx.client, (&cluster.namespace, &name), since)).await {
        Ok(Some(secret)) => Fetched::Data { name, secret },
        Ok(None) => Fetched::Not(SecretState::Missing(name)),
        Err(why) => Fetched::Not(SecretState::Unknown(why)),
    }
}

impl Fetched {
    fn data(&self) -> Option<&Data> {
        match self {
            Self::Data { secret, .. } => Some(&secret.data),
            Self::Not(_) => None,
        }
    }

    fn check<T>(self, parse: impl FnOnce(&Data) -> Result<T, InvalidKey>) -> (SecretState, Option<T>) {
        match self {
            Self::Not(state) => (state, None),
            Self::Data { name, secret } => match parse(&secret.data) {
                Ok(parsed) => (SecretState::Usable, Some(parsed)),
                Err(InvalidKey { key, problem }) => {
                    (SecretState::Incomplete { secret: name, key, problem }, None)
                }
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

/// The chat nodes look closer; here is found what a mix-up of Secrets or keys looks like.
fn check_auth(data: &Data) -> Result<(), InvalidKey> {
    let begins = |key: &str, with: &[&str], problem: &str| {
        let text = data.get(key).map(|value| value.0.trim_ascii_start());
        let is_good = text.is_none_or(|text| with.iter().any(|start| text.starts_with(start.as_bytes())));
        is_good.then_some(()).ok_or_else(|| InvalidKey::new(key, problem))
    };
    if [auth::HS256, auth::EDDSA, auth::JWKS].iter().all(|key| !data.contains_key(*key)) {
        let others =
            format!("is absent, as are `{}` and `{}`: one of them is needed", auth::EDDSA, auth::JWKS);
        return Err(InvalidKey::new(auth::HS256, others));
    }
    if data.get(auth::HS256).is_some_and(|key| key.0.len() < MIN_HS256_BYTES) {
        let problem = format!("is shorter than {MIN_HS256_BYTES} bytes");
        return Err(InvalidKey::new(auth::HS256, problem));
    }
    begins(auth::EDDSA, &["-----BEGIN PUBLIC KEY-----", "{"], "is neither a public key in PEM nor a JWK")?;
    begins(auth::JWKS, &["{"], "is no JSON Web Key Set")
}

fn digest_of(secrets: [&Fetched; 3]) -> Option<String> {
    let has_key = |fetched: &&Fetched| fetched.data().is_some_and(|data| data.contains_key(auth::HS256));
    let by_content = secrets.iter().any(has_key);
    let mut bytes = Vec::new();
    let mut add = |part: &[u8]| {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    for secret in secrets {
        match secret {
            Fetched::Data { secret, .. } if by_content => {
                for (key, value) in &secret.data {
                    add(key.as_bytes());
                    add(&value.0);
                }
            }
            Fetched::Data { secret, .. } => add(secret.version.as_bytes()),
            Fetched::Not(SecretState::NotNeeded) => {}
            Fetched::Not(_) => return None,
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
        assert_eq!(check_auth(&data(&[])).unwrap_err().key, "hs256");
        assert!(check_auth(&data(&[("hs256", "short")])).unwrap_err().problem.contains("32 bytes"));
        assert!(check_auth(&data(&[("hs256", &"k".repeat(32))])).is_ok());
    }

    #[test]
    fn one_of_three_keys_for_tokens_is_enough_and_a_mix_up_is_named() {
        assert!(check_auth(&data(&[("eddsa", "-----BEGIN PUBLIC KEY-----\n…")])).is_ok());
        assert!(check_auth(&data(&[("jwks", " {\"keys\":[]}")])).is_ok());
        assert_eq!(check_auth(&data(&[("eddsa", "-----BEGIN PRIVATE KEY-----")])).unwrap_err().key, "eddsa");
        let both = data(&[("hs256", &"k".repeat(32)), ("jwks", "https://sso.example")]);
        assert_eq!(check_auth(&both).unwrap_err().key, "jwks");
    }

    #[test]
    fn a_connection_string_must_look_like_one() {
        assert!(check_mongodb(&data(&[("uri", "localhost")])).is_err());
        assert!(check_mongodb(&data(&[("uri", "mongodb://store:27017")])).is_ok());
    }

    fn fetched(key: &str, value: &str, version: &str) -> Fetched {
        let secret = SecretData { data: data(&[(key, value)]), version: version.to_owned() };
        Fetched::Data { name: "s".to_owned(), secret: Arc::new(secret) }
    }

    #[test]
    fn any_changed_byte_changes_the_digest() {
        let [a, b, c] = ["1", "2", "3"].map(|value| fetched("hs256", value, "v"));
        assert_ne!(digest_of([&a, &b, &c]), digest_of([&a, &c, &b]));
        assert_eq!(digest_of([&a, &b, &Fetched::Not(SecretState::NotNamed)]), None);
        assert!(digest_of([&a, &b, &Fetched::Not(SecretState::NotNeeded)]).is_some());
    }

    #[test]
    fn without_a_random_key_the_digest_tells_nothing_of_passwords() {
        let none = Fetched::Not(SecretState::NotNeeded);
        let digest = |password: &str, version: &str| {
            let secret = fetched("password", password, version);
            digest_of([&secret, &secret, &none])
        };
        assert_eq!(digest("guest", "u/1"), digest("secret", "u/1"));
        assert_ne!(digest("guest", "u/1"), digest("guest", "u/2"));
    }
}
