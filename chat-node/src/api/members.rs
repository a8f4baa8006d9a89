//! Members of a group: who is in it, and as what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::Caller;
use super::created::Created;
use super::page::Page;
use super::refusals::{GroupRule, MemberChange, MemberRead, MemberRemoval};
use crate::channels::groups::Membership;
use crate::error::Problem;
use crate::groups::Role;
use crate::http::extract::{InPath, InQuery, JsonBody};
use crate::ids::{GroupId, UserId};
use crate::protocol::group::MemberPage;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read, put, remove))
}

/// The user that a path names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
enum Who {
    /// `@me`: who asks.
    Caller,
    /// The user with this id.
    User(UserId),
}

impl TryFrom<String> for Who {
    type Error = crate::ids::InvalidId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "@me" { Ok(Self::Caller) } else { text.parse().map(Self::User) }
    }
}

impl Who {
    fn or(self, caller: &UserId) -> UserId {
        match self {
            Self::Caller => caller.clone(),
            Self::User(user) => user,
        }
    }
}

/// The members, in order of user id. Owner and admins also see who is banned. In the official group only those are
/// listed who are more or less than a member, and only to its admins.
#[utoipa::path(get, path = "/api/v1/groups/{group}/members", tag = "members",
    params(("group" = GroupId, Path), Page<UserId>), responses((status = 200, body = MemberPage), GroupRule))]
async fn list(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(group): InPath<GroupId>,
    InQuery(page): InQuery<Page<UserId>>,
) -> Result<Json<MemberPage>, Problem> {
    api.channels.members(&user.id, group, (page.after.as_ref(), page.limit)).await.map(Json)
}

/// What a user is in a group. `@me` is you.
#[utoipa::path(get, path = "/api/v1/groups/{group}/members/{user}", tag = "members",
    params(("group" = GroupId, Path), ("user" = UserId, Path)),
    responses((status = 200, body = Membership), MemberRead))]
async fn read(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath((group, who)): InPath<(GroupId, Who)>,
) -> Result<Json<Membership>, Problem> {
    api.channels.member(&user.id, group, &who.or(&user.id)).await.map(Json)
}

/// The body that makes somebody a member, or changes what they are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
pub struct MemberRole {
    /// As what; nobody can be made an owner.
    role: Role,
}

/// Makes a user a member, or an admin, muted or banned; `member` takes that back. Owner and admins do, each with those
/// below them.
#[utoipa::path(put, path = "/api/v1/groups/{group}/members/{user}", tag = "members",
    params(("group" = GroupId, Path), ("user" = UserId, Path)), request_body = MemberRole,
    responses(
        (status = 200, body = Membership, description = "They were in the group before."),
        (status = 201, body = Membership, description = "They were added, at `location`."),
        MemberChange,
    ))]
async fn put(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath((group, who)): InPath<(GroupId, Who)>,
    JsonBody(body): JsonBody<MemberRole>,
) -> Result<Response, Problem> {
    let membership = Membership { user_id: who.or(&user.id), role: body.role };
    Ok(match api.channels.put_member(&user.id, group, membership).await? {
        (changed, Some(_)) => Json(changed).into_response(),
        (made, None) => Created { at: format!("../members/{}", made.user_id), made }.into_response(),
    })
}

/// Puts a user out of a group; `@me` leaves it. Taking the row of a banned user away lets them be added again.
#[utoipa::path(delete, path = "/api/v1/groups/{group}/members/{user}", tag = "members",
    params(("group" = GroupId, Path), ("user" = UserId, Path)), responses((status = 204), MemberRemoval))]
async fn remove(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath((group, who)): InPath<(GroupId, Who)>,
) -> Result<StatusCode, Problem> {
    api.channels.remove_member(&user.id, group, &who.or(&user.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
