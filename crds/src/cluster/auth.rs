//! Who may sign in.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::SecretRef;

/// How users' tokens (JWT) are verified: with keys of a Secret, or with those that the issuer publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "has(self.secretRef) != has(self.jwks)",
    "exactly one of secretRef and jwks is required: whose keys are good?"
))]
#[x_kube(validation = (
    "!has(self.jwks) || has(self.audience)",
    "jwks needs audience: the issuer's keys also sign tokens for others"
))]
pub struct Auth {
    /// Secret with at least one of `hs256` (a secret of at least 32 bytes), `eddsa` (an Ed25519 public key in PEM or as
    /// JWK) and `jwks` (a JSON Web Key Set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,

    /// `https` URL of the issuer's JSON Web Key Set, which the chat nodes fetch and keep fresh: keys for EdDSA, ES256
    /// and RS256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 2048),
        regex(pattern = r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])[!-?A-~]+$")
    )]
    pub jwks: Option<String>,

    /// Required `iss` claim; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub issuer: Option<String>,

    /// Required `aud` claim; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub audience: Option<String>,
}
