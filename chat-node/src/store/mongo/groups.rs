//! Groups.

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::Collection;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use super::rows::{ChannelRow, at, bson, is_zero, revision, signed, unsigned};
use super::{Mongo, channels, members};
use crate::groups::{CHANGES_REMEMBERED, Concerned, Group, GroupKind, GroupSettings, Member, Override, Role};
use crate::ids::{AccessVersion, ChannelId, GroupId, MessageId, Revision, UserId};
use crate::store::{Channel, GroupStore, NewChannel, RoleWrite, Seat, StoreError, Written};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct GroupRow {
    #[serde(rename = "_id")]
    id: i64,
    kind: GroupKind,
    settings: GroupSettings,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    appointed: Vec<UserId>,
    #[serde(default, skip_serializing_if = "is_zero")]
    revision: i64,
    version: i64,
    changes: Vec<Concerned>,
}

/// Of a group, how often it has changed.
#[derive(Clone, Debug, Deserialize)]
struct VersionRow {
    version: i64,
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
        let input = (self.groups(), new.clone());
        let insert = self.calls.run(input, async |(groups, new)| groups.insert_one(new).await);
        let group = match insert.await {
            Err(failure) if failure.is_duplicate() => find(self, id).await?.ok_or_else(not_yet)?,
            done => done.map(|_| new)?.group()?,
        };
        if let GroupKind::Private { owner } = &group.kind {
            let (user, role, over) = (owner.clone(), Some(Role::Owner), Revision::default());
            // Overtaken: it is there already.
            let since_ms = MessageId(id.0).timestamp_ms();
            members::set_role(self, id, &RoleWrite { user, role, over, since_ms }).await?;
        }
        Ok(group)
    }

    async fn group(&self, id: GroupId) -> Result<Option<Group>, StoreError> {
        find(self, id).await
    }

    async fn set_group_settings(
        &self,
        id: GroupId,
        settings: &GroupSettings,
        over: Revision,
    ) -> Result<Written, StoreError> {
        let is_there = |group: Group| group.settings == *settings;
        replace(self, (id, over), doc! { "settings": bson(settings)? }, is_there).await
    }

    async fn set_appointed(
        &self,
        id: GroupId,
        appointed: &[UserId],
        over: Revision,
    ) -> Result<Written, StoreError> {
        let is_there = |group: Group| group.appointed == appointed;
        replace(self, (id, over), doc! { "appointed": bson(appointed)? }, is_there).await
    }

    async fn delete_group(&self, id: GroupId) -> Result<(), StoreError> {
        // The group itself goes last, so that who may delete it may repeat what broke off.
        let (channels, members, groups) = (self.channels(), self.members(), self.groups());
        let input = (channels, doc! { "group": id });
        self.calls.run(input, async |(channels, of_it)| channels.delete_many(of_it).await).await?;
        let input = (members, doc! { "group": id });
        self.calls.run(input, async |(members, of_it)| members.delete_many(of_it).await).await?;
        let input = (groups, doc! { "_id": id });
        self.calls.run(input, async |(groups, id)| groups.delete_one(id).await).await?;
        Ok(())
    }

    async fn bump(&self, id: GroupId, concerned: &Concerned) -> Result<Option<AccessVersion>, StoreError> {
        bump(self, id, concerned).await
    }

    async fn roles(&self, group: GroupId, users: &[UserId]) -> Result<Vec<(UserId, Role)>, StoreError> {
        members::roles(self, group, users).await
    }

    async fn seat(&self, group: GroupId, user: &UserId) -> Result<Seat, StoreError> {
        members::seat(self, group, user).await
    }

    async fn set_role(&self, group: GroupId, write: &RoleWrite) -> Result<Written, StoreError> {
        members::set_role(self, group, write).await
    }

    async fn members(
        &self,
        group: GroupId,
        after: Option<&UserId>,
        limit: u16,
    ) -> Result<Vec<Member>, StoreError> {
        members::page(self, group, after, limit).await
    }

    async fn count_members(&self, group: GroupId, up_to: u32) -> Result<u32, StoreError> {
        members::count(self, group, up_to).await
    }

    async fn groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        members::groups_of(self, user).await
    }

    async fn create_channel(&self, channel: &NewChannel) -> Result<Channel, StoreError> {
        let new = ChannelRow::of_group(channel);
        let input = (self.channels(), new.clone());
        match self.calls.run(input, async |(channels, new)| channels.insert_one(new).await).await {
            Err(failure) if failure.is_duplicate() => {
                channels::get(self, channel.id).await?.ok_or_else(not_yet)
            }
            done => done.map(|_| new)?.channel(),
        }
    }

    async fn set_overrides(
        &self,
        channel: ChannelId,
        overrides: &[Override],
        over: Revision,
    ) -> Result<Written, StoreError> {
        channels::set_overrides(self, channel, (overrides, over)).await
    }

    async fn delete_channel(&self, id: ChannelId) -> Result<(), StoreError> {
        let input = (self.channels(), doc! { "_id": id, "kind": "group" });
        self.calls.run(input, async |(channels, of_a_group)| channels.delete_one(of_a_group).await).await?;
        Ok(())
    }

    async fn channels_of(&self, groups: &[GroupId]) -> Result<Vec<Channel>, StoreError> {
        let of_groups = doc! { "group": { "$in": groups.to_vec() } };
        let read = self.calls.run((self.channels(), of_groups), async |(channels, of_groups)| {
            channels.find(of_groups).sort(doc! { "_id": 1 }).await?.try_collect::<Vec<_>>().await
        });
        read.await?.into_iter().map(ChannelRow::channel).collect()
    }
}

/// The official group; it has the configured name.
pub(super) async fn put_official(mongo: &Mongo, name: &str) -> Result<(), StoreError> {
    let settings = GroupSettings { name: name.to_owned(), topic: String::new() };
    mongo.create_group(GroupId::OFFICIAL, &GroupKind::Official, &settings).await?;
    let (id, change) = (doc! { "_id": GroupId::OFFICIAL }, doc! { "$set": { "settings.name": name } });
    let input = (mongo.groups(), id, change);
    mongo.calls.run(input, async |(groups, id, change)| groups.update_one(id, change).await).await?;
    Ok(())
}

async fn find(mongo: &Mongo, id: GroupId) -> Result<Option<Group>, StoreError> {
    let input = (mongo.groups(), doc! { "_id": id });
    let row = mongo.calls.run(input, async |(groups, id)| groups.find_one(id).await).await?;
    row.map(GroupRow::group).transpose()
}

/// Replaces fields of a group over a revision.
async fn replace(
    mongo: &Mongo,
    (id, over): (GroupId, Revision),
    mut fields: Document,
    is_there: impl Fn(Group) -> bool,
) -> Result<Written, StoreError> {
    fields.insert("revision", revision(over.next()));
    let (known, change) = (doc! { "_id": id, "revision": at(over) }, doc! { "$set": fields });
    let update = mongo.calls.run((mongo.groups(), known, change), async |(groups, known, change)| {
        groups.update_one(known, change).await
    });
    if update.await?.matched_count > 0 {
        return Ok(Written::Yes);
    }
    let found = find(mongo, id).await?.filter(|group| group.revision == over.next());
    Ok(Written::already(found.is_some_and(is_there)))
}

async fn bump(
    mongo: &Mongo,
    id: GroupId,
    concerned: &Concerned,
) -> Result<Option<AccessVersion>, StoreError> {
    let last = doc! { "$each": [bson(concerned)?], "$slice": -(CHANGES_REMEMBERED as i64) };
    let step = doc! { "$inc": { "version": 1_i64 }, "$push": { "changes": last } };
    let groups: Collection<VersionRow> = mongo.groups().clone_with_type();
    let bump = mongo.calls.run((groups, doc! { "_id": id }, step), async |(groups, id, step)| {
        let update = groups.find_one_and_update(id, step).projection(doc! { "version": 1 });
        update.return_document(ReturnDocument::After).await
    });
    let Some(row) = bump.await? else { return Ok(None) };
    let version = AccessVersion(unsigned(row.version)?);
    let (of_it, raise) = (doc! { "group": id }, doc! { "$max": { "access": version } });
    let raise = mongo.calls.run((mongo.channels(), of_it, raise), async |(channels, of_it, raise)| {
        channels.update_many(of_it, raise).await
    });
    raise.await?;
    Ok(Some(version))
}

fn not_yet() -> StoreError {
    StoreError::Unavailable("what another node has just made does not show yet".to_owned())
}

impl GroupRow {
    fn new(id: GroupId, kind: &GroupKind, settings: &GroupSettings) -> Self {
        let (kind, settings) = (kind.clone(), settings.clone());
        let (id, appointed, changes) = (signed(id.0), Vec::new(), Vec::new());
        Self { id, kind, settings, appointed, revision: 0, version: 1, changes }
    }

    fn group(self) -> Result<Group, StoreError> {
        let Self { id, kind, settings, appointed, revision, version, changes } = self;
        let (id, revision) = (GroupId(unsigned(id)?), Revision(unsigned(revision)?));
        let version = AccessVersion(unsigned(version)?);
        Ok(Group { id, kind, settings, appointed, revision, version, changes })
    }
}
