//! Identity of the pods. They ask nothing of the API server, so they get no token.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::{Blueprint, metadata};

pub(super) fn build(blueprint: &Blueprint<'_>) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(blueprint.cluster),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
