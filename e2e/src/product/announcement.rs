//! What a newcomer needs to know when VibeTalk runs.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Broker, DEMO, DEMO_NAMESPACE, Target, credentials, example};
use crate::client::User;
use crate::eventually::eventually;

/// How long the way in may take to know the chat nodes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Addresses and logins.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The chat page.
    pub chat_url: String,
    /// The chat page with a token: user name and link.
    pub links: Vec<(String, String)>,
    /// Administrator's access to the cluster.
    pub kubeconfig: PathBuf,
    /// What `kubectl get vtc` prints.
    pub listing: String,
    /// The broker's management page and login.
    pub broker: Broker,
}

/// Asks the cluster; back when the chat page answers.
pub async fn gather(target: &Target, client: &kube::Client) -> Result<Announcement> {
    let cluster = example::ready(client, DEMO_NAMESPACE, DEMO).await?;
    let url = target.chat_url.clone().or_else(|| cluster.status.and_then(|status| status.url));
    let chat_url =
        url.context("the example has no URL: is there an ingress controller of the class `nginx`?")?;
    eventually("the chat page answers", DEADLINE, || answers(&chat_url)).await?;
    let key = credentials::signing_key(client, DEMO_NAMESPACE).await?;
    let link = |user: User| -> Result<(String, String)> {
        let token = key.token(&user)?;
        Ok((user.name, format!("{}/#token={token}", chat_url.trim_end_matches('/'))))
    };
    Ok(Announcement {
        links: vec![link(User::new("ada", "Ada"))?, link(User::new("bob", "Bob"))?],
        chat_url,
        kubeconfig: target.access.kubeconfig.clone(),
        listing: target.access.kubectl(["get", "vtc", "--namespace", DEMO_NAMESPACE]).output().await?,
        broker: target.backends.broker.clone(),
    })
}

async fn answers(url: &str) -> Result<()> {
    let response = reqwest::Client::new().get(url).timeout(Duration::from_secs(5)).send().await?;
    if !response.status().is_success() {
        bail!("{url} answers {}", response.status());
    }
    Ok(())
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "VibeTalk is ready.\n")?;
        writeln!(f, "  Chat        {}", self.chat_url)?;
        for (name, link) in &self.links {
            writeln!(f, "  as {name:<8} {link}")?;
        }
        writeln!(f, "\n  Kubernetes  export KUBECONFIG={}", self.kubeconfig.display())?;
        writeln!(f, "              kubectl -n {DEMO_NAMESPACE} get vtc      (or: cargo e2e kubectl …)")?;
        for line in self.listing.lines() {
            writeln!(f, "              {line}")?;
        }
        let Broker { management, username, password, .. } = &self.broker;
        writeln!(f, "\n  RabbitMQ    {management}/  (user {username}, password {password})")
    }
}
