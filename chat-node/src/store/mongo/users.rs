//! Users.

use mongodb::bson::doc;

use super::Mongo;
use crate::ids::UserId;
use crate::protocol::message::User;
use crate::store::StoreError;

pub(super) async fn put(mongo: &Mongo, user: &User) -> Result<(), StoreError> {
    let (id, change) = (doc! { "_id": user.id.as_str() }, doc! { "$set": { "name": &user.name } });
    let put = mongo.calls.upsert((mongo.users(), id, change), async |(users, id, change)| {
        users.update_one(id, change).upsert(true).await
    });
    put.await?;
    Ok(())
}

pub(super) async fn get(mongo: &Mongo, id: &UserId) -> Result<Option<User>, StoreError> {
    let input = (mongo.users(), doc! { "_id": id.as_str() });
    let row = mongo.calls.run(input, async |(users, id)| users.find_one(id).await).await?;
    Ok(row.map(|row| User { id: row.id, name: row.name }))
}
