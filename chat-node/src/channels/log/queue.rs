//! What waits to be appended. A channel has a queue here as long as somebody appends to it.

use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

use super::{AppendError, Appended, BATCH, Draft};
use crate::ids::ChannelId;

/// The most drafts that wait for one channel.
const PER_CHANNEL: usize = 1_024;
/// The most drafts that wait for all channels together.
const TOTAL: usize = 16_384;

/// The drafts of one caller; they stay together.
pub(super) struct Waiting {
    pub drafts: Vec<Draft>,
    pub answer: oneshot::Sender<Result<Vec<Appended>, AppendError>>,
}

#[derive(Default)]
pub(super) struct Queues {
    channels: HashMap<ChannelId, Queue>,
    drafts: usize,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    drafts: usize,
}

impl Queues {
    /// Takes a place in the channel's queue. `true`: it is the first, somebody must start to append.
    ///
    /// # Errors
    /// [`AppendError::Busy`].
    pub fn push(&mut self, channel: ChannelId, waiting: Waiting) -> Result<bool, AppendError> {
        let count = waiting.drafts.len();
        let queued = self.channels.get(&channel).map_or(0, |queue| queue.drafts);
        if queued + count > PER_CHANNEL || self.drafts + count > TOTAL {
            return Err(AppendError::Busy);
        }
        let first = !self.channels.contains_key(&channel);
        let queue = self.channels.entry(channel).or_default();
        queue.waiting.push_back(waiting);
        queue.drafts += count;
        self.drafts += count;
        Ok(first)
    }

    /// The next callers, with at most [`BATCH`] drafts together. None: the channel's queue is gone.
    pub fn next(&mut self, channel: ChannelId) -> Vec<Waiting> {
        let Some(queue) = self.channels.get_mut(&channel) else { return Vec::new() };
        let (mut batch, mut count) = (Vec::new(), 0);
        while let Some(waiting) = queue.waiting.pop_front_if(|next| count + next.drafts.len() <= BATCH) {
            count += waiting.drafts.len();
            batch.push(waiting);
        }
        queue.drafts -= count;
        self.drafts -= count;
        if batch.is_empty() {
            self.channels.remove(&channel);
        }
        batch
    }

    /// Drops the channel's queue with all who wait in it.
    pub fn abandon(&mut self, channel: ChannelId) {
        if let Some(queue) = self.channels.remove(&channel) {
            self.drafts -= queue.drafts;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::log::batch::tests::draft;

    const CHANNEL: ChannelId = ChannelId(1);

    fn waiting(count: usize) -> Waiting {
        let drafts = (0..count).map(|n| draft("ada", &n.to_string())).collect();
        Waiting { drafts, answer: oneshot::channel().0 }
    }

    #[test]
    fn only_the_first_caller_starts_to_append() {
        let mut queues = Queues::default();
        assert_eq!(queues.push(CHANNEL, waiting(1)), Ok(true));
        assert_eq!(queues.push(CHANNEL, waiting(1)), Ok(false));
        assert_eq!(queues.next(CHANNEL).len(), 2);
        assert_eq!(queues.push(CHANNEL, waiting(1)), Ok(false), "the batch taken is still on its way");
        assert_eq!(queues.next(CHANNEL).len(), 1);
        assert_eq!(queues.next(CHANNEL).len(), 0);
        assert_eq!(queues.push(CHANNEL, waiting(1)), Ok(true));
    }

    #[test]
    fn a_batch_holds_whole_callers_and_at_most_64_drafts() {
        let mut queues = Queues::default();
        for count in [40, 24, 1, 64] {
            queues.push(CHANNEL, waiting(count)).unwrap();
        }
        let mut sizes = || queues.next(CHANNEL).iter().map(|caller| caller.drafts.len()).collect::<Vec<_>>();
        assert_eq!([sizes(), sizes(), sizes()], [vec![40, 24], vec![1], vec![64]]);
    }

    #[test]
    fn a_full_queue_refuses_and_takes_again_when_it_has_room() {
        let mut queues = Queues::default();
        for _ in 0..PER_CHANNEL / BATCH {
            queues.push(CHANNEL, waiting(BATCH)).unwrap();
        }
        assert_eq!(queues.push(CHANNEL, waiting(1)), Err(AppendError::Busy));
        assert_eq!(queues.push(ChannelId(2), waiting(1)), Ok(true), "other channels go on");
        queues.next(CHANNEL);
        assert_eq!(queues.push(CHANNEL, waiting(1)), Ok(false));
    }

    #[test]
    fn all_channels_together_are_bounded_too() {
        let mut queues = Queues::default();
        let channels = (0..TOTAL / BATCH).map(|n| ChannelId(n as u64));
        channels.for_each(|channel| assert_eq!(queues.push(channel, waiting(BATCH)), Ok(true)));
        assert_eq!(queues.push(ChannelId(u64::MAX), waiting(1)), Err(AppendError::Busy));
        queues.abandon(ChannelId(0));
        assert_eq!(queues.push(ChannelId(u64::MAX), waiting(1)), Ok(true));
    }
}
