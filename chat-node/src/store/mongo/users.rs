//! Users.

use mongodb::bson::doc;

use super::Mongo;
use super::call::call;
use crate::ids::UserId;
use crate::protocol::message::User;
use crate::store::StoreError;

pub(super) async fn put(mongo: &Mongo, user: &User) -> Result<(), StoreError> {
    let (id, change) = (doc! { "_id": user.id.as_str() }, doc! { "$set": { "name": &user.name } });
    let users = mongo.users();
    let put = || async { users.update_one(id.clone(), change.clone()).upsert(true).await };
    match call(put).await {
        // Two nodes made the user at once: the loser's change is an update now.
        Err(failure) if failure.is_duplicate() => call(put).await?,
        done => done?,
    };
    Ok(())
}

pub(super) async fn get(mongo: &Mongo, id: &UserId) -> Result<Option<User>, StoreError> {
    let users = mongo.users();
    let row = call(|| async { users.find_one(doc! { "_id": id.as_str() }).await }).await?;
    Ok(row.map(|row| User { id: row.id, name: row.name }))
}
