//! The members of groups. Of a removed row only its key and its revision are left, and when it was removed: no query for
//! members finds it, and an index forgets it later.

use futures::TryStreamExt;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::UpdateModifications;
use serde::Deserialize;

use super::Mongo;
use super::rows::{at, bson, revision, signed, unsigned};
use crate::groups::{GROUPS_OF_USER_MAX, Member, Role};
use crate::ids::{GroupId, Revision, UserId};
use crate::store::{RoleWrite, Seat, StoreError, Written};

#[derive(Clone, Debug, Deserialize)]
pub(super) struct MemberRow {
    group: i64,
    user: UserId,
    role: Role,
    since_ms: i64,
}

/// Of a row, perhaps a removed one, what a write has to know.
#[derive(Clone, Debug, Deserialize)]
struct SeatRow {
    role: Option<Role>,
    #[serde(default)]
    revision: i64,
}

pub(super) async fn roles(
    mongo: &Mongo,
    group: GroupId,
    users: &[UserId],
) -> Result<Vec<(UserId, Role)>, StoreError> {
    let ids: Vec<_> = users.iter().map(|user| key(group, user)).collect();
    let present = doc! { "_id": { "$in": ids }, "role": { "$exists": true } };
    let rows = find(mongo, present, (doc! { "_id": 1 }, users.len())).await?;
    Ok(rows.into_iter().map(|row| (row.user, row.role)).collect())
}

pub(super) async fn seat(mongo: &Mongo, group: GroupId, user: &UserId) -> Result<Seat, StoreError> {
    let (members, id) = (mongo.members().clone_with_type::<SeatRow>(), doc! { "_id": key(group, user) });
    let read = mongo.calls.run((members, id), async |(members, id)| {
        members.find_one(id).projection(doc! { "role": 1, "revision": 1 }).await
    });
    let Some(SeatRow { role, revision }) = read.await? else { return Ok(Seat::default()) };
    Ok(Seat { role, revision: Revision(unsigned(revision)?) })
}

pub(super) async fn set_role(
    mongo: &Mongo,
    group: GroupId,
    write: &RoleWrite,
) -> Result<Written, StoreError> {
    if write.over.is_first() && insert(mongo, group, write).await? == Written::Yes {
        return Ok(Written::Yes);
    }
    let known = doc! { "_id": key(group, &write.user), "revision": at(write.over) };
    let input = (mongo.members(), known, change(group, write)?);
    let update =
        mongo.calls.run(input, async |(members, known, change)| members.update_one(known, change).await);
    if update.await?.matched_count > 0 {
        return Ok(Written::Yes);
    }
    let wanted = Seat { role: write.role, revision: write.over.next() };
    Ok(Written::already(seat(mongo, group, &write.user).await? == wanted))
}

/// Makes a row where there is none.
async fn insert(mongo: &Mongo, group: GroupId, write: &RoleWrite) -> Result<Written, StoreError> {
    let (id, revision) = (key(group, &write.user), revision(write.over.next()));
    let new = match write.role {
        Some(role) => doc! {
            "_id": id, "group": group, "user": write.user.as_str(), "role": bson(&role)?,
            "since_ms": signed(write.since_ms), "revision": revision,
        },
        None => doc! { "_id": id, "revision": revision, "removed": DateTime::now() },
    };
    let members = mongo.members().clone_with_type::<Document>();
    match mongo.calls.run((members, new), async |(members, new)| members.insert_one(new).await).await {
        // Somebody was faster, or it was written before there were revisions.
        Err(failure) if failure.is_duplicate() => Ok(Written::Overtaken),
        done => Ok(done.map(|_| Written::Yes)?),
    }
}

/// What makes a row of another revision.
fn change(group: GroupId, write: &RoleWrite) -> Result<UpdateModifications, StoreError> {
    let revision = revision(write.over.next());
    let Some(role) = write.role else {
        return Ok(doc! {
            "$unset": { "group": "", "user": "", "role": "", "since_ms": "" },
            "$set": { "revision": revision },
            "$currentDate": { "removed": true },
        }
        .into());
    };
    let fields = doc! {
        "group": group, "user": write.user.as_str(), "role": bson(&role)?, "revision": revision,
        "since_ms": { "$ifNull": ["$since_ms", signed(write.since_ms)] },
    };
    Ok(vec![doc! { "$set": fields }, doc! { "$unset": "removed" }].into())
}

pub(super) async fn page(
    mongo: &Mongo,
    group: GroupId,
    after: Option<&UserId>,
    limit: u16,
) -> Result<Vec<Member>, StoreError> {
    let after = after.map_or("", UserId::as_str);
    let filter = doc! { "group": group, "user": { "$gt": after } };
    let rows = find(mongo, filter, (doc! { "user": 1 }, limit.into())).await?;
    rows.into_iter().map(MemberRow::member).collect()
}

pub(super) async fn count(mongo: &Mongo, group: GroupId, up_to: u32) -> Result<u32, StoreError> {
    let input = (mongo.members(), doc! { "group": group }, up_to);
    let count = mongo.calls.run(input, async |(members, of_group, up_to)| {
        members.count_documents(of_group).limit(up_to.into()).await
    });
    Ok(u32::try_from(count.await?).unwrap_or(up_to))
}

pub(super) async fn groups_of(mongo: &Mongo, user: &UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
    let filter = doc! { "user": user.as_str() };
    let rows = find(mongo, filter, (doc! { "group": 1 }, GROUPS_OF_USER_MAX + 1)).await?;
    rows.into_iter().map(|row| Ok((GroupId(unsigned(row.group)?), row.role))).collect()
}

async fn find(
    mongo: &Mongo,
    filter: Document,
    (order, limit): (Document, usize),
) -> Result<Vec<MemberRow>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let input = (mongo.members(), filter, order, limit as i64);
    let read = mongo.calls.run(input, async |(members, filter, order, limit)| {
        members.find(filter).sort(order).limit(limit).await?.try_collect::<Vec<_>>().await
    });
    Ok(read.await?)
}

/// A member's key: one string, as a range over documents would depend on the order of their fields.
fn key(group: GroupId, user: &UserId) -> String {
    format!("{group} {user}")
}

impl MemberRow {
    fn member(self) -> Result<Member, StoreError> {
        Ok(Member { user_id: self.user, role: self.role, since_ms: unsigned(self.since_ms)? })
    }
}
