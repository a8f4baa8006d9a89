//! The REST API below `/api/v1`: one file per resource.

mod caller;
pub mod channels;
mod created;
pub mod development;
pub mod document;
mod groups;
pub mod members;
pub mod messages;
pub mod overrides;
mod page;
mod pins;
mod reactions;
pub mod reads;
mod refusals;
mod users;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware;
use utoipa_axum::router::OpenApiRouter;

pub use self::caller::Caller;
use crate::auth::Tokens;
use crate::channels::Channels;
use crate::clock::Clock;
use crate::error::{ErrorCode, Problem};
use crate::http::rate::Rates;
use crate::http::request::end_after;
use crate::limits::Limits;
use crate::store::Store;

/// What the API works with.
#[derive(Debug)]
pub struct Api {
    /// Who a token belongs to.
    pub tokens: Arc<Tokens>,
    /// How much one user may ask.
    pub rates: Arc<Rates>,
    /// What a user can do.
    pub channels: Arc<Channels>,
    /// Where users are written down.
    pub store: Arc<dyn Store>,
    /// The calendar that tokens are signed by.
    pub clock: Arc<dyn Clock>,
    /// Every bound.
    pub limits: Arc<Limits>,
    /// Whether anybody may sign in under any name.
    pub development_login: bool,
}

/// Every route of the API whose answer is there at once. What holds its answer back does not belong here: requests that
/// take longer than [`Limits::request`] end.
pub fn router(api: Arc<Api>) -> OpenApiRouter {
    let mut router = OpenApiRouter::new()
        .merge(users::routes())
        .merge(groups::routes())
        .merge(members::routes())
        .merge(channels::routes())
        .merge(overrides::routes())
        .merge(messages::routes())
        .merge(reactions::routes())
        .merge(pins::routes())
        .merge(reads::routes());
    if api.development_login {
        router = router.merge(development::routes());
    }
    router
        .layer(DefaultBodyLimit::max(api.limits.frame_bytes))
        .layer(middleware::from_fn_with_state(api.limits.request, end_after))
        .with_state(api)
}

/// The answer to a path that is none.
pub async fn not_found() -> Problem {
    Problem::new(
        ErrorCode::NotFound,
        "there is nothing at this address; PROTOCOL.md and /api/v1/openapi.json list what there is",
    )
}

/// The answer to a method that a path does not have; the header `allow` names those that it has.
pub async fn method_not_allowed() -> Problem {
    Problem::new(ErrorCode::MethodNotAllowed, "the header `allow` names the methods that this address has")
}
