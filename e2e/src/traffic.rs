//! Users who talk while something happens to the service, and the oracle that compares what was acknowledged, what is
//! stored and what arrived.

mod channels;
mod crowd;
mod oracle;

pub use crowd::{Crowd, Manner, Tally};
pub use oracle::Kept;

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::client::{Gateway, SigningKey};

/// Where users go.
#[derive(Clone, Debug)]
pub struct Place {
    /// The way in.
    pub gateway: Gateway,
    /// Signs their tokens.
    pub key: SigningKey,
}

impl Place {
    /// Ends a crowd's talk there, and compares it with what everybody can read there now.
    pub async fn judge(&self, crowd: &mut Crowd) -> Result<Tally> {
        let talk = crowd.hush().await?;
        let mut kept = BTreeMap::new();
        for (channel, token) in &talk.readers {
            kept.insert(channel.clone(), self.history(channel, token).await?);
        }
        crowd.judge(&talk, &kept)
    }

    /// The messages of a channel as who is signed in by `token` reads them, oldest first.
    async fn history(&self, channel: &str, token: &str) -> Result<Vec<Kept>> {
        let messages = self.gateway.whole_history(token, channel).await?;
        let kept = messages.into_iter().map(|message| {
            let position = message.position.parse().context("a position is no number")?;
            Ok(Kept { id: message.id, position, content: message.content })
        });
        kept.collect()
    }
}
