//! What requests can be refused for, as the OpenAPI document says it. A test holds real answers against it.

use std::collections::BTreeMap;

use utoipa::ToSchema;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{Ref, RefOr};

use super::problem::Document;
use crate::error::ErrorCode;

/// Responses by HTTP status.
pub(crate) type ByStatus = BTreeMap<String, RefOr<Response>>;

/// Makes a type for each set of codes, to be named among the `responses` of a handler.
macro_rules! refusals {
    ($($name:ident: $($code:ident)+;)*) => {$(
        pub(super) struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> crate::http::refusals::ByStatus {
                crate::http::refusals::listed(&[$(crate::error::ErrorCode::$code),+])
            }
        }
    )*};
}
pub(crate) use refusals;

/// One response for each status, which lists its codes.
pub(crate) fn listed(codes: &[ErrorCode]) -> ByStatus {
    let mut responses = ByStatus::new();
    add(&mut responses, codes);
    responses
}

/// Adds what every request, one with a body, and one that needs a token can be refused for.
pub fn add_common(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    add(
        responses,
        &[
            ErrorCode::Malformed,
            ErrorCode::RateLimited,
            ErrorCode::Internal,
            ErrorCode::Unavailable,
            ErrorCode::Timeout,
        ],
    );
    if operation.security.is_none() {
        add(responses, &[ErrorCode::Unauthorized]);
    }
    if operation.request_body.is_some() {
        add(responses, &[ErrorCode::TooLarge, ErrorCode::UnsupportedMediaType]);
    }
}

fn add(responses: &mut ByStatus, codes: &[ErrorCode]) {
    for code in codes {
        let line = format!("- `{}`: {}\n", code.as_str(), code.meaning());
        let response = responses.entry(code.status().to_string()).or_insert_with(|| RefOr::T(problem()));
        if let RefOr::T(response) = response {
            response.description.push_str(&line);
        }
    }
}

fn problem() -> Response {
    let schema = Ref::from_schema_name(Document::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().content("application/problem+json", content).build()
}
