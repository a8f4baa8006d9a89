//! The OpenAPI document: what the routes say of themselves, and what holds for all of them.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, OpenApiBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ErrorCode;
use crate::http::problem::Document;
use crate::http::refusals::add_common;

const TOKEN: &str = "token";

/// The document as it is sent, once all routes are known.
#[derive(Clone, Debug, Default)]
struct Published(Arc<OnceLock<Bytes>>);

/// These routes, and one that gives the document which describes them and itself.
pub fn published(routes: OpenApiRouter) -> Router {
    let published = Published::default();
    let own = OpenApiRouter::new().routes(routes!(read)).with_state(published.clone());
    let (router, mut document) =
        OpenApiRouter::with_openapi(empty()).merge(routes).merge(own).split_for_parts();
    document.paths.paths.values_mut().flat_map(operations).for_each(complete);
    // Strings, numbers and maps of strings: there is nothing in it that JSON cannot say.
    let text = document.to_json().unwrap_or_default();
    published.0.get_or_init(|| text.into());
    router
}

/// This document: what every request wants and what it is answered.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "document", security(()),
    responses((status = 200, content_type = "application/json", body = Object)))]
async fn read(State(Published(document)): State<Published>) -> impl IntoResponse {
    let document = document.get().cloned().unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], document)
}

fn empty() -> OpenApi {
    let info = InfoBuilder::new()
        .title("VibeTalk chat node")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("PROTOCOL.md says what is not here: the gateway, positions, limits."));
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let mut components = Components::new();
    components.add_security_scheme(TOKEN, SecurityScheme::Http(token));
    let problem = [(Document::name(), Document::schema()), (ErrorCode::name(), ErrorCode::schema())];
    components.schemas.extend(problem.map(|(name, schema)| (name.into_owned(), schema)));
    OpenApiBuilder::new()
        .info(info.build())
        .components(Some(components))
        .security(Some([SecurityRequirement::new(TOKEN, [""; 0])]))
        .build()
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = path;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// The names of handlers are unique only within their files, and every response has to be described.
fn complete(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            "Done.".clone_into(&mut response.description);
        }
    }
    let tag = operation.tags.iter().flatten().next().map(|tag| tag.replace(' ', "_"));
    if let (Some(tag), Some(id)) = (tag, &mut operation.operation_id) {
        *id = format!("{tag}_{id}");
    }
    add_common(operation);
}
