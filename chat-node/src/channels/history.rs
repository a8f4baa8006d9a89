//! Pages of a channel's messages, newest first.

use std::str::FromStr;

use crate::ids::{ChannelId, MessageId};
use crate::protocol::message::Message;
use crate::store::{Around, Store, StoreError};

/// How many messages a page holds: 1 to 100, 50 unless asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize(u16);

/// The number is not a [`PageSize`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`limit` must be a whole number from 1 to {}", PageSize::MAX)]
pub struct InvalidPageSize;

impl PageSize {
    /// The longest page.
    pub const MAX: u16 = 100;

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<u16> for PageSize {
    type Error = InvalidPageSize;

    fn try_from(number: u16) -> Result<Self, InvalidPageSize> {
        (1..=Self::MAX).contains(&number).then_some(Self(number)).ok_or(InvalidPageSize)
    }
}

impl FromStr for PageSize {
    type Err = InvalidPageSize;

    fn from_str(text: &str) -> Result<Self, InvalidPageSize> {
        text.parse::<u16>().map_err(|_| InvalidPageSize)?.try_into()
    }
}

/// The messages before `before`, or the last ones, newest first. Fewer than `size` are left only at the channel's
/// beginning; the id of the last one is the `before` of the next page.
///
/// # Errors
/// [`StoreError`].
pub async fn page(
    store: &dyn Store,
    channel: ChannelId,
    before: Option<MessageId>,
    size: PageSize,
) -> Result<Vec<Message>, StoreError> {
    store.history(channel, before.map_or(Around::End, Around::Before), size.get()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_1_to_100_messages() {
        assert_eq!("100".parse(), Ok(PageSize(100)));
        for text in ["0", "101", "-1", "70000", "ten", ""] {
            assert_eq!(text.parse::<PageSize>(), Err(InvalidPageSize), "{text:?}");
        }
    }
}
