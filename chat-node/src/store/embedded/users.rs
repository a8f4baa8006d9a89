//! Users.

use redb::{ReadTransaction, WriteTransaction};

use super::tables::USERS;
use crate::ids::UserId;
use crate::protocol::message::User;
use crate::store::StoreError;

pub(super) fn put(tx: &WriteTransaction, user: &User) -> Result<(), StoreError> {
    tx.open_table(USERS)?.insert(user.id.as_str(), user.name.as_str())?;
    Ok(())
}

pub(super) fn get(tx: &ReadTransaction, id: &UserId) -> Result<Option<User>, StoreError> {
    let name = tx.open_table(USERS)?.get(id.as_str())?;
    Ok(name.map(|name| User { id: id.clone(), name: name.value().to_owned() }))
}
