//! Users.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::Caller;
use super::refusals::OfUser;
use crate::channels::problem_of;
use crate::error::Problem;
use crate::http::extract::InPath;
use crate::ids::UserId;
use crate::protocol::message::User;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(me)).routes(routes!(read))
}

/// You, as your token says. From now on others can open a direct channel with you.
#[utoipa::path(get, path = "/api/v1/users/@me", tag = "users", responses((status = 200, body = User)))]
async fn me(State(api): State<Arc<Api>>, Caller(user): Caller) -> Result<Json<User>, Problem> {
    api.store.put_user(&user).await.map_err(|error| problem_of(&error))?;
    Ok(Json(user))
}

/// A user as everyone sees them.
#[utoipa::path(get, path = "/api/v1/users/{user}", tag = "users", params(("user" = UserId, Path)),
    responses((status = 200, body = User), OfUser))]
async fn read(
    State(api): State<Arc<Api>>,
    Caller(_): Caller,
    InPath(user): InPath<UserId>,
) -> Result<Json<User>, Problem> {
    api.channels.known_user(&user).await.map(Json)
}
