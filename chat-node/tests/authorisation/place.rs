//! Where things happen, and to whom.

use chat_node::groups::{Concerned, GroupKind, GroupSettings, Role};
use chat_node::ids::{ChannelId, GroupId, UserId};
use chat_node::protocol::message::{ChannelSettings, User};
use chat_node::store::{NewChannel, RoleWrite};
use crds::Posting;
use serde_json::{Value, json};

use super::support::cluster::{Cluster, TestNode};
use super::support::http::{Answer, request};

/// Who asks; in this order the table's letters stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    Owner,
    Admin,
    Member,
    Muted,
    Banned,
    /// In no group but the official one.
    Stranger,
    /// Without a token.
    Nobody,
}

impl Actor {
    pub const ALL: [Self; 7] =
        [Self::Owner, Self::Admin, Self::Member, Self::Muted, Self::Banned, Self::Stranger, Self::Nobody];

    fn role(self) -> Option<Role> {
        match self {
            Self::Owner => Some(Role::Owner),
            Self::Admin => Some(Role::Admin),
            Self::Member => Some(Role::Member),
            Self::Muted => Some(Role::Muted),
            Self::Banned => Some(Role::Banned),
            Self::Stranger | Self::Nobody => None,
        }
    }
}

/// In which channel, and in which group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A channel of a private group.
    Private,
    /// The official channel. Nobody owns the official group: its owner is a member like any other.
    Official,
    /// The direct channel of `Owner` and `Member`.
    Direct,
    /// A channel of a private group where roles below the owner may not read.
    NoReading,
    /// A channel of a private group where roles below the owner may not send.
    NoSending,
    /// The official channel of a node where only admins post.
    AdminsPost,
}

/// A node, with a scene on it.
pub struct World {
    pub node: TestNode,
    /// Where members write, if they may not at the node.
    open: Option<TestNode>,
    cluster: Cluster,
    scenes: u64,
}

/// A place with users, and with a message of `Member` in it. What one request changes, the next must not find.
#[derive(Clone, Debug)]
pub struct Scene {
    number: u64,
    group: GroupId,
    channel: String,
    message: String,
}

impl World {
    pub async fn new() -> Self {
        let cluster = Cluster::default();
        let node = cluster.unlimited_node("matrix").await;
        Self { node, open: None, cluster, scenes: 0 }
    }

    /// One in which there is such a place.
    pub async fn with(place: Place) -> Self {
        let world = Self::new().await;
        if place != Place::AdminsPost {
            return world;
        }
        let node = world.cluster.unlimited_node_where("admins post", Posting::Admins).await;
        Self { node, open: Some(world.node), ..world }
    }

    pub async fn scene(&mut self, place: Place) -> Scene {
        self.scenes += 1;
        let number = self.scenes;
        let scene =
            Scene { number, group: GroupId(1_000 + number), channel: String::new(), message: String::new() };
        for user in Actor::ALL.map(|actor| scene.user(actor)).into_iter().chain([scene.target()]) {
            self.cluster.store().put_user(&User { name: user.to_string(), id: user }).await.unwrap();
        }
        match place {
            Place::Official | Place::AdminsPost => self.official(scene).await,
            Place::Direct => self.direct(scene).await,
            Place::Private => self.private(scene).await,
            Place::NoReading => self.restricted(scene, "read").await,
            Place::NoSending => self.restricted(scene, "send").await,
        }
    }

    async fn official(&self, scene: Scene) -> Scene {
        let group = GroupId::OFFICIAL;
        for actor in [Actor::Admin, Actor::Muted, Actor::Banned] {
            self.give_role(group, &scene.user(actor), actor.role()).await;
        }
        self.give_role(group, &scene.target(), Some(Role::Muted)).await;
        self.with_message(Scene { group, channel: ChannelId::OFFICIAL.to_string(), ..scene }).await
    }

    async fn direct(&self, scene: Scene) -> Scene {
        let recipient = json!({"recipient_id": scene.user(Actor::Member)});
        let opened = self.say(&scene, Actor::Owner, ("POST /api/v1/users/@me/channels", &recipient)).await;
        let channel = opened.json()["id"].as_str().unwrap().to_owned();
        self.with_message(Scene { channel, ..scene }).await
    }

    async fn private(&self, scene: Scene) -> Scene {
        let (store, group) = (self.cluster.store(), scene.group);
        let kind = GroupKind::Private { owner: scene.user(Actor::Owner) };
        let settings = GroupSettings { name: "Group".to_owned(), topic: String::new() };
        store.create_group(group, &kind, &settings).await.unwrap();
        let settings = ChannelSettings { name: "general".to_owned(), ..ChannelSettings::default() };
        let id = ChannelId(group.0);
        store.create_channel(&NewChannel { id, group, settings, overrides: Vec::new() }).await.unwrap();
        for actor in [Actor::Admin, Actor::Member, Actor::Muted, Actor::Banned] {
            self.give_role(group, &scene.user(actor), actor.role()).await;
        }
        self.give_role(group, &scene.target(), Some(Role::Member)).await;
        self.with_message(Scene { channel: id.to_string(), ..scene }).await
    }

    /// What is denied is denied after the message was written.
    async fn restricted(&self, scene: Scene, denied: &str) -> Scene {
        let scene = self.private(scene).await;
        let deny = |role: &str| json!({"target": {"role": role}, "deny": {denied: true}});
        let overrides = ["admin", "member", "muted"].map(deny);
        let overrides = json!({ "overrides": overrides });
        let line = scene.filled("PUT /api/v1/channels/{channel}/overrides");
        let answer = self.say(&scene, Actor::Owner, (&line, &overrides)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        scene
    }

    async fn give_role(&self, group: GroupId, user: &UserId, role: Option<Role>) {
        let (store, user) = (self.cluster.store(), user.clone());
        let over = store.seat(group, &user).await.unwrap().revision;
        let write = RoleWrite { user: user.clone(), role, over, since_ms: 0 };
        store.set_role(group, &write).await.unwrap();
        store.bump(group, &Concerned::User(user)).await.unwrap();
    }

    async fn with_message(&self, scene: Scene) -> Scene {
        let message = json!({"nonce": scene.number.to_string(), "content": "hello"});
        let line = scene.filled("POST /api/v1/channels/{channel}/messages");
        let token = self.token(&scene, Actor::Member);
        let address = self.open.as_ref().unwrap_or(&self.node).address;
        let sent = request(address, &line, (token.as_deref(), &message.to_string())).await;
        let id = sent.json()["id"].as_str().unwrap_or_else(|| panic!("not sent: {sent:?}")).to_owned();
        Scene { message: id, ..scene }
    }

    /// `line` is method and path.
    pub async fn say(&self, scene: &Scene, actor: Actor, (line, body): (&str, &Value)) -> Answer {
        let token = self.token(scene, actor);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        request(self.node.address, line, (token.as_deref(), &body)).await
    }

    pub fn token(&self, scene: &Scene, actor: Actor) -> Option<String> {
        (actor != Actor::Nobody).then(|| self.node.token(scene.user(actor).as_str()))
    }
}

impl Scene {
    /// Each scene has users of its own.
    pub fn user(&self, actor: Actor) -> UserId {
        format!("{actor:?}-{}", self.number).to_lowercase().parse().unwrap()
    }

    /// Somebody to whom things are done; no more than a member anywhere.
    fn target(&self) -> UserId {
        format!("target-{}", self.number).parse().unwrap()
    }

    /// A text with this scene's names in it.
    pub fn filled(&self, template: &str) -> String {
        template
            .replace("{group}", &self.group.to_string())
            .replace("{channel}", &self.channel)
            .replace("{message}", &self.message)
            .replace("{emoji}", "%F0%9F%91%8D")
            .replace("{owner}", self.user(Actor::Owner).as_str())
            .replace("{user}", self.target().as_str())
    }
}
