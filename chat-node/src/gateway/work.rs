//! What a session has under way: futures that end in something it must hear.

use std::collections::BTreeMap;
use std::future::Future;

use futures::future::{AbortHandle, BoxFuture, abortable};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};

use crate::auth::{Identity, TokenError};
use crate::error::Problem;
use crate::ids::ChannelId;
use crate::protocol::cursors::Cursors;
use crate::protocol::frame::Fetch;
use crate::protocol::message::Entry;
use crate::session::{IdentifyRefusal, Sent, Watched, Welcome};
use crate::store::StoreError;

/// What has come to an end.
pub(super) enum Finished {
    Verified {
        cursors: Cursors,
        result: Result<Identity, TokenError>,
    },
    Identified(Result<Welcome, IdentifyRefusal>),
    Sent {
        nonce: String,
        result: Result<Sent, Problem>,
    },
    Followed {
        channel: ChannelId,
        result: Result<(), StoreError>,
    },
    Fetched {
        fetch: Fetch,
        result: Result<Vec<Entry>, Problem>,
    },
    /// Those of the users that may be watched.
    Watched(Result<Watched, Problem>),
    /// What the client hears of only if it is refused.
    Silent(Result<(), Problem>),
}

/// Futures of one session. They go on only while [`Work::next`] is awaited. Most sessions are idle: nothing is kept when
/// nothing is under way.
#[derive(Default)]
pub(super) struct Work {
    running: Option<FuturesUnordered<BoxFuture<'static, Option<Finished>>>>,
    follows: BTreeMap<ChannelId, AbortHandle>,
}

impl Work {
    pub fn push(&mut self, work: impl Future<Output = Finished> + Send + 'static) {
        self.add(work.map(Some).boxed());
    }

    /// Adds the following of a channel, which can be broken off.
    pub fn push_follow(
        &mut self,
        channel: ChannelId,
        follow: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) {
        let (follow, handle) = abortable(follow);
        self.break_off(channel);
        self.follows.insert(channel, handle);
        self.add(
            async move { follow.await.ok().map(|result| Finished::Followed { channel, result }) }.boxed(),
        );
    }

    /// Breaks off the following of a channel, if it is under way: nothing of it happens any more.
    pub fn break_off(&mut self, channel: ChannelId) {
        if let Some(handle) = self.follows.remove(&channel) {
            handle.abort();
        }
    }

    /// The next that ends; `None`: nothing is under way. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Finished> {
        loop {
            let Some(ended) = self.running.as_mut()?.next().await else {
                (self.running, self.follows) = (None, BTreeMap::new());
                return None;
            };
            let Some(finished) = ended else { continue };
            if let Finished::Followed { channel, .. } = &finished {
                self.follows.remove(channel);
            }
            return Some(finished);
        }
    }

    fn add(&mut self, work: BoxFuture<'static, Option<Finished>>) {
        self.running.get_or_insert_default().push(work);
    }
}
