//! Users.

use async_trait::async_trait;

use super::StoreError;
use crate::ids::UserId;
use crate::protocol::message::User;

/// Who has ever signed in.
#[async_trait]
pub trait UserStore {
    /// Writes down a user's name, and makes the user on first sight.
    async fn put_user(&self, user: &User) -> Result<(), StoreError>;

    /// A user.
    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError>;
}
