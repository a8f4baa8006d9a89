//! The three Secrets of a chat cluster.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crds::binding;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, Patch, PatchParams};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;

use super::{Backends, Broker, FIELD_MANAGER};
use crate::client::SigningKey;

/// Name of the Secret with the broker's login.
pub const RABBITMQ: &str = "demo-rabbitmq";
/// Name of the Secret with the store's connection string.
pub const MONGODB: &str = "demo-mongodb";
/// Name of the Secret with the key of the users' tokens.
pub const AUTH: &str = "demo-auth";

/// Writes the three Secrets into a namespace; a signing key that exists stays.
pub async fn ensure(client: &kube::Client, namespace: &str, backends: &Backends) -> Result<()> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    write(&secrets, RABBITMQ, rabbitmq(&backends.broker)).await?;
    set_store(client, namespace, &backends.mongodb_uri).await?;
    if secrets.get_opt(AUTH).await?.is_none() {
        write(&secrets, AUTH, BTreeMap::from([(binding::auth::HS256, random_key()?)])).await?;
    }
    Ok(())
}

/// Points the broker's Secret elsewhere.
pub async fn set_broker(client: &kube::Client, namespace: &str, broker: &Broker) -> Result<()> {
    write(&Api::namespaced(client.clone(), namespace), RABBITMQ, rabbitmq(broker)).await
}

/// Points the store's Secret elsewhere.
pub async fn set_store(client: &kube::Client, namespace: &str, uri: &str) -> Result<()> {
    let uri = BTreeMap::from([(binding::mongodb::URI, uri.to_owned())]);
    write(&Api::namespaced(client.clone(), namespace), MONGODB, uri).await
}

/// The key that signs the tokens of a namespace's users.
pub async fn signing_key(client: &kube::Client, namespace: &str) -> Result<SigningKey> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = secrets.get(AUTH).await.with_context(|| format!("no Secret {namespace}/{AUTH}"))?;
    let bytes = secret.data.and_then(|mut data| data.remove(binding::auth::HS256));
    let bytes = bytes.with_context(|| format!("the Secret {namespace}/{AUTH} has no key hs256"))?;
    Ok(SigningKey::new(bytes.0))
}

fn rabbitmq(broker: &Broker) -> BTreeMap<&'static str, String> {
    use binding::rabbitmq::{HOST, MANAGEMENT_URI, PASSWORD, PORT, USERNAME, VHOST};
    BTreeMap::from([
        (HOST, broker.host.clone()),
        (PORT, broker.port.to_string()),
        (USERNAME, broker.username.clone()),
        (PASSWORD, broker.password.clone()),
        (VHOST, broker.vhost.clone()),
        (MANAGEMENT_URI, broker.management.clone()),
    ])
}

async fn write(secrets: &Api<Secret>, name: &str, data: BTreeMap<&str, String>) -> Result<()> {
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name },
        "stringData": data,
    });
    secrets
        .patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&secret))
        .await
        .with_context(|| format!("cannot write the Secret {name}"))?;
    Ok(())
}

/// 48 random bytes as text, so that a person can copy them.
fn random_key() -> Result<String> {
    let mut bytes = [0_u8; 48];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("this machine gives no random numbers"))?;
    Ok(STANDARD.encode(bytes))
}
