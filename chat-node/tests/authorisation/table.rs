//! The table. A row has one text for each place, and a text one letter for each actor: owner, admin, member, muted,
//! banned, stranger, nobody.
//!
//! `+` it is done; `f` forbidden; `c` unknown_channel; `g` unknown_group; `u` unauthorized. In commands also: `-` the
//! channel is not among those of the user; `i` closed, as nobody has identified; `t` closed, as the token is refused.

use super::place::Place;

/// A request.
pub struct Request {
    /// Method and path as the document has them.
    pub route: &'static str,
    /// What tells it from others of the route: the value of `{user}`, if it has one.
    pub user: &'static str,
    /// JSON, or nothing.
    pub body: &'static str,
    /// The status of success.
    pub done: u16,
    pub cells: Cells,
}

/// A command.
pub struct Command {
    pub op: &'static str,
    /// The fields beside `op`.
    pub fields: &'static str,
    /// The `op` or the `type` of success; nothing: there is no answer.
    pub done: &'static str,
    pub cells: Cells,
}

pub enum Cells {
    /// Belongs to no place.
    Anywhere(&'static str),
    /// In a private group, in the official group.
    Group([&'static str; 2]),
    /// In a private channel, the official one, a direct one, one without reading, one without sending, the official one
    /// where only admins post.
    Channel([&'static str; 6]),
}

impl Cells {
    /// What is expected in a place; `None`: it belongs elsewhere.
    pub fn at(&self, place: Place) -> Option<&'static str> {
        match self {
            Self::Anywhere(_) => None,
            Self::Group(cells) => cells.get(place as usize).copied(),
            Self::Channel(cells) => cells.get(place as usize).copied(),
        }
    }
}

impl Request {
    pub fn name(&self) -> String {
        [self.route, self.user, self.body].join(" ")
    }

    /// Whether doing it leaves everything as it was.
    pub fn only_reads(&self) -> bool {
        self.route.starts_with("GET ")
    }

    /// Method and path, with the user that is meant.
    pub fn line(&self) -> String {
        if self.user.is_empty() { self.route.to_owned() } else { self.route.replace("{user}", self.user) }
    }
}

const fn anywhere(route: &'static str, body: &'static str, done: u16, cells: &'static str) -> Request {
    Request { route, user: "", body, done, cells: Cells::Anywhere(cells) }
}

const fn group(route: &'static str, body: &'static str, done: u16, cells: [&'static str; 2]) -> Request {
    Request { route, user: "", body, done, cells: Cells::Group(cells) }
}

const fn member(
    (route, user): (&'static str, &'static str),
    body: &'static str,
    done: u16,
    cells: [&'static str; 2],
) -> Request {
    Request { route, user, body, done, cells: Cells::Group(cells) }
}

const fn channel(route: &'static str, body: &'static str, done: u16, cells: [&'static str; 6]) -> Request {
    Request { route, user: "", body, done, cells: Cells::Channel(cells) }
}

/// Whoever may read.
const READ: [&str; 6] = ["++++ccu", "++++c+u", "+c+cccu", "+cccccu", "++++ccu", "++++c+u"];
/// Whoever may send.
const SEND: [&str; 6] = ["+++fccu", "+++fc+u", "+c+cccu", "+cccccu", "+fffccu", "f+ffcfu"];
/// Whoever may manage the channel.
const MANAGE: [&str; 6] = ["++ffccu", "f+ffcfu", "fcfcccu", "+cccccu", "++ffccu", "f+ffcfu"];
/// The same, and in a direct channel both.
const PIN: [&str; 6] = ["++ffccu", "f+ffcfu", "+c+cccu", "+cccccu", "++ffccu", "f+ffcfu"];
/// Whoever may manage and send.
const ANNOUNCE: [&str; 6] = ["++ffccu", "f+ffcfu", "fcfcccu", "+cccccu", "+fffccu", "f+ffcfu"];
/// Owner and admins of the group, whatever the channel denies them.
const RULE: [&str; 6] = ["++ffccu", "f+ffcfu", "fcfcccu", "++ccccu", "++ffccu", "f+ffcfu"];

/// Whoever is in the group.
const INSIDE: [&str; 2] = ["++++ggu", "++++g+u"];
/// Owner and admins of the group.
const STAFF: [&str; 2] = ["++ffggu", "f+ffgfu"];
/// Its owner.
const OWNER: [&str; 2] = ["+fffggu", "ffffgfu"];

pub const REQUESTS: &[Request] = &[
    anywhere("GET /api/v1/openapi.json", "", 200, "+++++++"),
    anywhere("GET /api/v1/poll", "", 200, "++++++u"),
    anywhere("GET /api/v1/events", "", 200, "++++++u"),
    anywhere("GET /api/v1/users/@me", "", 200, "++++++u"),
    anywhere("GET /api/v1/users/{user}", "", 200, "++++++u"),
    anywhere("GET /api/v1/users/@me/groups", "", 200, "++++++u"),
    anywhere("GET /api/v1/users/@me/channels", "", 200, "++++++u"),
    anywhere("POST /api/v1/users/@me/channels", r#"{"recipient_id":"{user}"}"#, 200, "++++++u"),
    anywhere("POST /api/v1/groups", r#"{"name":"New"}"#, 201, "++++++u"),
    group("GET /api/v1/groups/{group}", "", 200, INSIDE),
    group("PATCH /api/v1/groups/{group}", r#"{"topic":"new"}"#, 200, STAFF),
    group("DELETE /api/v1/groups/{group}", "", 204, OWNER),
    group("GET /api/v1/groups/{group}/channels", "", 200, INSIDE),
    group("POST /api/v1/groups/{group}/channels", r#"{"name":"new"}"#, 201, STAFF),
    group("GET /api/v1/groups/{group}/members", "", 200, ["++++ggu", "f+ffgfu"]),
    member(("GET /api/v1/groups/{group}/members/{user}", ""), "", 200, INSIDE),
    member(("PUT /api/v1/groups/{group}/members/{user}", ""), r#"{"role":"muted"}"#, 200, STAFF),
    member(("PUT /api/v1/groups/{group}/members/{user}", ""), r#"{"role":"banned"}"#, 200, STAFF),
    member(("PUT /api/v1/groups/{group}/members/{user}", ""), r#"{"role":"admin"}"#, 200, OWNER),
    member(
        ("PUT /api/v1/groups/{group}/members/{user}", "{owner}"),
        r#"{"role":"muted"}"#,
        200,
        ["ffffggu", "f+ffgfu"],
    ),
    member(
        ("PUT /api/v1/groups/{group}/members/{user}", "@me"),
        r#"{"role":"member"}"#,
        200,
        ["ffffggu", "ffffgfu"],
    ),
    member(("DELETE /api/v1/groups/{group}/members/{user}", ""), "", 204, STAFF),
    member(("DELETE /api/v1/groups/{group}/members/{user}", "{owner}"), "", 204, ["ffffggu", "ffffgfu"]),
    member(("DELETE /api/v1/groups/{group}/members/{user}", "@me"), "", 204, ["f+++ggu", "ffffgfu"]),
    channel("GET /api/v1/channels/{channel}", "", 200, READ),
    channel("PATCH /api/v1/channels/{channel}", r#"{"topic":"new"}"#, 200, MANAGE),
    channel(
        "DELETE /api/v1/channels/{channel}",
        "",
        204,
        ["++ffccu", "ffffcfu", "fcfcccu", "++ccccu", "++ffccu", "ffffcfu"],
    ),
    channel("GET /api/v1/channels/{channel}/overrides", "", 200, RULE),
    channel("PUT /api/v1/channels/{channel}/overrides", r#"{"overrides":[]}"#, 200, RULE),
    channel("GET /api/v1/channels/{channel}/messages", "", 200, READ),
    channel("POST /api/v1/channels/{channel}/messages", r#"{"nonce":"n","content":"hi"}"#, 201, SEND),
    channel(
        "POST /api/v1/channels/{channel}/messages",
        r#"{"nonce":"n","content":"hi","mention_everyone":true}"#,
        201,
        ANNOUNCE,
    ),
    channel("GET /api/v1/channels/{channel}/messages/{message}", "", 200, READ),
    // The message is that of the member.
    channel(
        "PATCH /api/v1/channels/{channel}/messages/{message}",
        r#"{"content":"new"}"#,
        200,
        ["ff+fccu", "ff+fcfu", "fc+cccu", "fcccccu", "ffffccu", "ffffcfu"],
    ),
    channel(
        "PATCH /api/v1/channels/{channel}/messages/{message}",
        r#"{"mention_everyone":true}"#,
        200,
        ["ffffccu", "ffffcfu", "fcfcccu", "fcccccu", "ffffccu", "ffffcfu"],
    ),
    channel(
        "DELETE /api/v1/channels/{channel}/messages/{message}",
        "",
        204,
        ["+++fccu", "f++fcfu", "fc+cccu", "+cccccu", "+++fccu", "f++fcfu"],
    ),
    channel("GET /api/v1/channels/{channel}/messages/{message}/reactions/{emoji}", "", 200, READ),
    channel("PUT /api/v1/channels/{channel}/messages/{message}/reactions/{emoji}/@me", "", 204, SEND),
    channel("DELETE /api/v1/channels/{channel}/messages/{message}/reactions/{emoji}/@me", "", 204, READ),
    channel("GET /api/v1/channels/{channel}/pins", "", 200, READ),
    channel("PUT /api/v1/channels/{channel}/pins/{message}", "", 204, PIN),
    channel("DELETE /api/v1/channels/{channel}/pins/{message}", "", 204, PIN),
    channel("GET /api/v1/channels/{channel}/read", "", 200, READ),
    channel("PUT /api/v1/channels/{channel}/read", r#"{"position":"1"}"#, 200, READ),
];

pub const COMMANDS: &[Command] = &[
    Command {
        op: "identify",
        fields: "{}",
        done: "ready",
        cells: Cells::Channel(["++++--t", "++++-+t", "+-+---t", "+-----t", "++++--t", "++++-+t"]),
    },
    Command { op: "heartbeat", fields: "{}", done: "heartbeat_ack", cells: Cells::Anywhere("++++++i") },
    Command {
        op: "send",
        fields: r#"{"channel_id":"{channel}","nonce":"n","content":"hi"}"#,
        done: "ack",
        cells: Cells::Channel(["+++fcci", "+++fc+i", "+c+ccci", "+ccccci", "+fffcci", "f+ffcfi"]),
    },
    Command {
        op: "fetch",
        fields: r#"{"channel_id":"{channel}","after":"0"}"#,
        done: "fill",
        cells: Cells::Channel(["++++cci", "++++c+i", "+c+ccci", "+ccccci", "++++cci", "++++c+i"]),
    },
    Command {
        op: "read",
        fields: r#"{"channel_id":"{channel}","position":"1"}"#,
        done: "read",
        cells: Cells::Channel(["++++cci", "++++c+i", "+c+ccci", "+ccccci", "++++cci", "++++c+i"]),
    },
    Command {
        op: "typing",
        fields: r#"{"channel_id":"{channel}"}"#,
        done: "typing",
        cells: Cells::Channel(["+++fcci", "ffffcfi", "+c+ccci", "+ccccci", "+fffcci", "ffffcfi"]),
    },
    Command {
        op: "watch",
        fields: r#"{"user_ids":["{owner}"]}"#,
        done: "",
        cells: Cells::Anywhere("++++++i"),
    },
];
