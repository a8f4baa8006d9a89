//! Groups and their members.

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::Collection;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use super::call::call;
use super::rows::{ChannelRow, bson, signed, unsigned};
use super::{Mongo, channels};
use crate::groups::{
    CHANGES_REMEMBERED, Concerned, GROUPS_OF_USER_MAX, Group, GroupKind, GroupSettings, Member, Override,
    Role,
};
use crate::ids::{AccessVersion, ChannelId, GroupId, MessageId, UserId};
use crate::store::{Channel, GroupStore, NewChannel, StoreError};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct GroupRow {
    #[serde(rename = "_id")]
    id: i64,
    kind: GroupKind,
    settings: GroupSettings,
    version: i64,
    changes: Vec<Concerned>,
}

/// Of a group, how often it has changed.
#[derive(Clone, Debug, Deserialize)]
struct VersionRow {
    version: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct MemberRow {
    group: i64,
    user: UserId,
    role: Role,
    since_ms: i64,
}

#[async_trait]
impl GroupStore for Mongo {
    async fn create_group(
        &self,
        id: GroupId,
        kind: &GroupKind,
        settings: &GroupSettings,
    ) -> Result<Group, StoreError> {
        let new = GroupRow::new(id, kind, settings);
        let groups = self.groups();
        let group = match call(|| async { groups.insert_one(&new).await }).await {
            Err(failure) if failure.is_duplicate() => find(self, id).await?.ok_or_else(not_yet)?,
            done => done.map(|_| new)?.group()?,
        };
        if let GroupKind::Private { owner } = &group.kind {
            self.set_role(id, (owner, Some(Role::Owner)), MessageId(id.0).timestamp_ms()).await?;
        }
        Ok(group)
    }

    async fn group(&self, id: GroupId) -> Result<Option<Group>, StoreError> {
        find(self, id).await
    }

    async fn set_group_settings(&self, id: GroupId, settings: &GroupSettings) -> Result<(), StoreError> {
        let change = doc! { "$set": { "settings": bson(settings)? } };
        let groups = self.groups();
        call(|| async { groups.update_one(doc! { "_id": id }, change.clone()).await }).await?;
        Ok(())
    }

    async fn delete_group(&self, id: GroupId) -> Result<(), StoreError> {
        // The group itself goes last, so that who may delete it may repeat what broke off.
        let (channels, members, groups) = (self.channels(), self.members(), self.groups());
        call(|| async { channels.delete_many(doc! { "group": id }).await }).await?;
        call(|| async { members.delete_many(doc! { "group": id }).await }).await?;
        call(|| async { groups.delete_one(doc! { "_id": id }).await }).await?;
        Ok(())
    }

    async fn bump(&self, id: GroupId, concerned: &Concerned) -> Result<Option<AccessVersion>, StoreError> {
        bump(self, id, concerned).await
    }

    async fn roles(&self, group: GroupId, users: &[UserId]) -> Result<Vec<(UserId, Role)>, StoreError> {
        let ids: Vec<_> = users.iter().map(|user| key(group, user)).collect();
        let rows = members(self, doc! { "_id": { "$in": ids } }, (doc! { "_id": 1 }, users.len())).await?;
        Ok(rows.into_iter().map(|row| (row.user, row.role)).collect())
    }

    async fn set_role(
        &self,
        group: GroupId,
        (user, role): (&UserId, Option<Role>),
        since_ms: u64,
    ) -> Result<(), StoreError> {
        set_role(self, group, (user, role), since_ms).await
    }

    async fn members(
        &self,
        group: GroupId,
        after: Option<&UserId>,
        limit: u16,
    ) -> Result<Vec<Member>, StoreError> {
        let after = after.map_or("", UserId::as_str);
        let filter = doc! { "group": group, "user": { "$gt": after } };
        let rows = members(self, filter, (doc! { "user": 1 }, limit.into())).await?;
        rows.into_iter().map(MemberRow::member).collect()
    }

    async fn count_members(&self, group: GroupId, up_to: u32) -> Result<u32, StoreError> {
        let members = self.members();
        let count = || async { members.count_documents(doc! { "group": group }).limit(up_to.into()).await };
        Ok(u32::try_from(call(count).await?).unwrap_or(up_to))
    }

    async fn groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        let filter = doc! { "user": user.as_str() };
        let rows = members(self, filter, (doc! { "group": 1 }, GROUPS_OF_USER_MAX + 1)).await?;
        rows.into_iter().map(|row| Ok((GroupId(unsigned(row.group)?), row.role))).collect()
    }

    async fn create_channel(&self, channel: &NewChannel) -> Result<Channel, StoreError> {
        let new = ChannelRow::of_group(channel);
        let channels = self.channels();
        match call(|| async { channels.insert_one(&new).await }).await {
            Err(failure) if failure.is_duplicate() => {
                channels::get(self, channel.id).await?.ok_or_else(not_yet)
            }
            done => done.map(|_| new)?.channel(),
        }
    }

    async fn set_overrides(&self, channel: ChannelId, overrides: &[Override]) -> Result<(), StoreError> {
        let change = doc! { "$set": { "overrides": bson(overrides)? } };
        let channels = self.channels();
        call(|| async { channels.update_one(doc! { "_id": channel }, change.clone()).await }).await?;
        Ok(())
    }

    async fn delete_channel(&self, id: ChannelId) -> Result<(), StoreError> {
        let (channels, of_a_group) = (self.channels(), doc! { "_id": id, "kind": "group" });
        call(|| async { channels.delete_one(of_a_group.clone()).await }).await?;
        Ok(())
    }

    async fn channels_of(&self, groups: &[GroupId]) -> Result<Vec<Channel>, StoreError> {
        let (channels, of_groups) = (self.channels(), doc! { "group": { "$in": groups.to_vec() } });
        let read = || async {
            let found = channels.find(of_groups.clone()).sort(doc! { "_id": 1 });
            found.await?.try_collect::<Vec<_>>().await
        };
        call(read).await?.into_iter().map(ChannelRow::channel).collect()
    }
}

/// The official group; it has the configured name.
pub(super) async fn put_official(mongo: &Mongo, name: &str) -> Result<(), StoreError> {
    let settings = GroupSettings { name: name.to_owned(), topic: String::new() };
    mongo.create_group(GroupId::OFFICIAL, &GroupKind::Official, &settings).await?;
    let (groups, change) = (mongo.groups(), doc! { "$set": { "settings.name": name } });
    let named = || async { groups.update_one(doc! { "_id": GroupId::OFFICIAL }, change.clone()).await };
    call(named).await?;
    Ok(())
}

async fn find(mongo: &Mongo, id: GroupId) -> Result<Option<Group>, StoreError> {
    let groups = mongo.groups();
    let row = call(|| async { groups.find_one(doc! { "_id": id }).await }).await?;
    row.map(GroupRow::group).transpose()
}

async fn bump(
    mongo: &Mongo,
    id: GroupId,
    concerned: &Concerned,
) -> Result<Option<AccessVersion>, StoreError> {
    let last = doc! { "$each": [bson(concerned)?], "$slice": -(CHANGES_REMEMBERED as i64) };
    let step = doc! { "$inc": { "version": 1_i64 }, "$push": { "changes": last } };
    let groups: Collection<VersionRow> = mongo.groups().clone_with_type();
    let bump = || async {
        let update = groups.find_one_and_update(doc! { "_id": id }, step.clone());
        update.projection(doc! { "version": 1 }).return_document(ReturnDocument::After).await
    };
    let Some(row) = call(bump).await? else { return Ok(None) };
    let version = AccessVersion(unsigned(row.version)?);
    let (channels, raise) = (mongo.channels(), doc! { "$max": { "access": version } });
    call(|| async { channels.update_many(doc! { "group": id }, raise.clone()).await }).await?;
    Ok(Some(version))
}

async fn set_role(
    mongo: &Mongo,
    group: GroupId,
    (user, role): (&UserId, Option<Role>),
    since_ms: u64,
) -> Result<(), StoreError> {
    let (members, id) = (mongo.members(), doc! { "_id": key(group, user) });
    let Some(role) = role else {
        call(|| async { members.delete_one(id.clone()).await }).await?;
        return Ok(());
    };
    let change = doc! {
        "$set": { "role": bson(&role)? },
        "$setOnInsert": { "group": group, "user": user.as_str(), "since_ms": signed(since_ms) },
    };
    let put = || async { members.update_one(id.clone(), change.clone()).upsert(true).await };
    match call(put).await {
        // Two nodes made the row at once: the loser's change is an update now.
        Err(failure) if failure.is_duplicate() => call(put).await?,
        done => done?,
    };
    Ok(())
}

async fn members(
    mongo: &Mongo,
    filter: Document,
    (order, limit): (Document, usize),
) -> Result<Vec<MemberRow>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let members = mongo.members();
    let read = || async {
        let found = members.find(filter.clone()).sort(order.clone()).limit(limit as i64);
        found.await?.try_collect::<Vec<_>>().await
    };
    Ok(call(read).await?)
}

/// A member's key: one string, as a range over documents would depend on the order of their fields.
fn key(group: GroupId, user: &UserId) -> String {
    format!("{group} {user}")
}

fn not_yet() -> StoreError {
    StoreError::Unavailable("what another node has just made does not show yet".to_owned())
}

impl GroupRow {
    fn new(id: GroupId, kind: &GroupKind, settings: &GroupSettings) -> Self {
        let (kind, settings) = (kind.clone(), settings.clone());
        Self { id: signed(id.0), kind, settings, version: 1, changes: Vec::new() }
    }

    fn group(self) -> Result<Group, StoreError> {
        let Self { id, kind, settings, version, changes } = self;
        let (id, version) = (GroupId(unsigned(id)?), AccessVersion(unsigned(version)?));
        Ok(Group { id, kind, settings, version, changes })
    }
}

impl MemberRow {
    fn member(self) -> Result<Member, StoreError> {
        Ok(Member { user_id: self.user, role: self.role, since_ms: unsigned(self.since_ms)? })
    }
}
