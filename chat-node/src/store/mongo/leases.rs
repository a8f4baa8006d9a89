//! Leases on server ids, by the server's clock. [`super::prepare`] has made a document for each.

use futures::TryStreamExt;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::ReturnDocument;

use super::Mongo;
use super::rows::{signed, unsigned};
use crate::ids::ServerId;
use crate::store::{Lease, StoreError};

pub(super) async fn now_ms(mongo: &Mongo) -> Result<u64, StoreError> {
    let pipeline = [doc! { "$match": { "_id": 0_i64 } }, doc! { "$project": { "now": "$$NOW" } }];
    let read = mongo.calls.run((mongo.leases(), pipeline), async |(leases, pipeline)| {
        leases.aggregate(pipeline).await?.try_next().await
    });
    let row = read.await?.ok_or_else(|| StoreError::Refused("it is not prepared".to_owned()))?;
    millis(&row, "now")
}

pub(super) async fn acquire(mongo: &Mongo, holder: &str, ttl_ms: u64) -> Result<Lease, StoreError> {
    let past = |field: &str| doc! { "$lt": [field, "$$NOW"] };
    let free = doc! { "$expr": { "$and": [past("$expires"), past("$used_until")] } };
    let take = [doc! { "$set": {
        "holder": { "$literal": holder },
        "fence": { "$add": ["$fence", 1_i64] },
        "expires": { "$add": ["$$NOW", signed(ttl_ms)] },
    } }];
    let acquire = mongo.calls.run((mongo.leases(), free, take), async |(leases, free, take)| {
        let update = leases.find_one_and_update(free, take.to_vec());
        update.sort(doc! { "_id": 1 }).return_document(ReturnDocument::After).await
    });
    let row = acquire.await?.ok_or_else(StoreError::none_free)?;
    let number = u16::try_from(int(&row, "_id")?).ok().and_then(ServerId::new);
    Ok(Lease {
        server_id: number.ok_or_else(|| StoreError::Corrupt("a lease on no server id".to_owned()))?,
        fence: int(&row, "fence")?,
        used_until_ms: millis(&row, "used_until")?,
    })
}

pub(super) async fn renew(
    mongo: &Mongo,
    lease: &Lease,
    ttl_ms: u64,
    use_until_ms: u64,
) -> Result<bool, StoreError> {
    let prolong = [doc! { "$set": {
        "expires": { "$add": ["$$NOW", signed(ttl_ms)] },
        "used_until": { "$max": ["$used_until", DateTime::from_millis(signed(use_until_ms))] },
    } }];
    let renew = mongo.calls.run((mongo.leases(), own(lease), prolong), async |(leases, own, prolong)| {
        leases.update_one(own, prolong.to_vec()).await
    });
    Ok(renew.await?.matched_count == 1)
}

pub(super) async fn release(mongo: &Mongo, lease: &Lease, used_until_ms: u64) -> Result<(), StoreError> {
    let used_until = DateTime::from_millis(signed(used_until_ms));
    let free = doc! {
        "$set": { "expires": DateTime::from_millis(0), "used_until": used_until },
        "$inc": { "fence": 1_i64 },
    };
    let release = mongo.calls.run((mongo.leases(), own(lease), free), async |(leases, own, free)| {
        leases.update_one(own, free).await
    });
    release.await?;
    Ok(())
}

fn own(lease: &Lease) -> Document {
    doc! { "_id": i64::from(lease.server_id.get()), "fence": signed(lease.fence) }
}

fn int(row: &Document, field: &str) -> Result<u64, StoreError> {
    row.get_i64(field).map_err(|error| StoreError::Corrupt(format!("a lease: {error}"))).and_then(unsigned)
}

fn millis(row: &Document, field: &str) -> Result<u64, StoreError> {
    let time = row.get_datetime(field).map_err(|error| StoreError::Corrupt(format!("a lease: {error}")))?;
    unsigned(time.timestamp_millis())
}
