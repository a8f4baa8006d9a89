//! Forgetting whole buckets of a channel.

use std::collections::BTreeSet;

use chat_node::ids::{ChannelId, MessageId, Position};
use chat_node::store::bucket::{Bucket, BucketLength};

use super::Tables;

impl Tables {
    pub fn buckets_before(
        &self,
        bucket: Bucket,
        limit: u16,
        length: BucketLength,
    ) -> Vec<(ChannelId, Bucket)> {
        let of =
            |(id, (channel, _)): (&MessageId, &(ChannelId, Position))| (*channel, Bucket::of(*id, length));
        let all: BTreeSet<_> = self.ids.iter().map(of).filter(|(_, of)| *of < bucket).collect();
        all.into_iter().take(limit.into()).collect()
    }

    pub fn drop_bucket(&mut self, channel: ChannelId, bucket: Bucket, length: BucketLength) -> Position {
        let gone: Vec<_> = self
            .ids
            .iter()
            .filter(|(id, (of, _))| *of == channel && Bucket::of(**id, length) <= bucket)
            .map(|(id, (_, position))| (*id, *position))
            .collect();
        let floor = gone.iter().map(|(_, position)| *position).max().unwrap_or(Position(0));
        for (id, _) in &gone {
            self.ids.remove(id);
            self.reactions.retain(|(message, ..), _| message != id);
        }
        if let Some(log) = self.logs.get_mut(&channel) {
            log.rows.retain(|position, _| *position > floor);
            log.nonces.retain(|_, position| *position > floor);
        }
        let Some(row) = self.channels.get_mut(&channel) else { return floor };
        row.channel.floor = row.channel.floor.max(floor);
        row.channel.floor
    }
}
