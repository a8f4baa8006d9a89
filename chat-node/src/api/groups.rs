//! Groups.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::Caller;
use super::created::Created;
use super::page::Page;
use super::refusals::{GroupChange, GroupRule, InGroup, NewGroup};
use crate::channels::groups::GroupPatch;
use crate::error::Problem;
use crate::groups::GroupSettings;
use crate::http::extract::{InPath, InQuery, JsonBody};
use crate::ids::GroupId;
use crate::protocol::group::GroupView;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(create)).routes(routes!(read, update, delete))
}

/// A page of groups, in order of id.
#[derive(Serialize, ToSchema)]
pub(super) struct GroupPage {
    groups: Vec<GroupView>,
    /// What to give as `after` for the next page; `null` on the last one.
    next: Option<GroupId>,
}

/// The groups that you are in; the official one comes first.
#[utoipa::path(get, path = "/api/v1/users/@me/groups", tag = "groups", params(Page<GroupId>),
    responses((status = 200, body = GroupPage)))]
async fn list(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InQuery(page): InQuery<Page<GroupId>>,
) -> Result<Json<GroupPage>, Problem> {
    let (groups, next) = api.channels.groups_of(&user.id, (page.after, page.limit)).await?;
    Ok(Json(GroupPage { groups, next }))
}

/// Makes a private group with one channel. You own it.
#[utoipa::path(post, path = "/api/v1/groups", tag = "groups", request_body = GroupSettings,
    responses((status = 201, body = GroupView, description = "The group, at `location`."), NewGroup))]
async fn create(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    JsonBody(settings): JsonBody<GroupSettings>,
) -> Result<Created<GroupView>, Problem> {
    let made = api.channels.create_group(&user, settings).await?;
    Ok(Created { at: format!("groups/{}", made.id), made })
}

/// A group that you are in.
#[utoipa::path(get, path = "/api/v1/groups/{group}", tag = "groups", params(("group" = GroupId, Path)),
    responses((status = 200, body = GroupView), InGroup))]
async fn read(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(group): InPath<GroupId>,
) -> Result<Json<GroupView>, Problem> {
    api.channels.group(&user.id, group).await.map(Json)
}

/// Changes name or topic; what is absent stays. Owner and admins do.
#[utoipa::path(patch, path = "/api/v1/groups/{group}", tag = "groups", params(("group" = GroupId, Path)),
    request_body = GroupPatch, responses((status = 200, body = GroupView), GroupChange))]
async fn update(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(group): InPath<GroupId>,
    JsonBody(patch): JsonBody<GroupPatch>,
) -> Result<Json<GroupView>, Problem> {
    api.channels.set_group_settings(&user.id, group, patch).await.map(Json)
}

/// Deletes a group with its channels for good. Its owner does.
#[utoipa::path(delete, path = "/api/v1/groups/{group}", tag = "groups", params(("group" = GroupId, Path)),
    responses((status = 204), GroupRule))]
async fn delete(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    InPath(group): InPath<GroupId>,
) -> Result<StatusCode, Problem> {
    api.channels.delete_group(&user.id, group).await?;
    Ok(StatusCode::NO_CONTENT)
}
