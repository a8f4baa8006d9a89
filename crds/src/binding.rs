//! Where a chat node finds its credentials: one directory per service under [`ROOT`], one file per key, as the
//! Service Binding Specification for Kubernetes 1.1 lays them out.

/// The environment variable that names the root directory.
pub const ROOT_ENV: &str = "SERVICE_BINDING_ROOT";

/// The root directory in the pods that the operator makes.
pub const ROOT: &str = "/bindings";

/// Directory and keys of the RabbitMQ credentials.
pub mod rabbitmq {
    /// Directory below the root.
    pub const DIRECTORY: &str = "rabbitmq";
    /// Host name or address; required.
    pub const HOST: &str = "host";
    /// AMQP port; 5672 if absent.
    pub const PORT: &str = "port";
    /// User name; required.
    pub const USERNAME: &str = "username";
    /// Password; required.
    pub const PASSWORD: &str = "password";
    /// Virtual host; `/` if absent.
    pub const VHOST: &str = "vhost";
    /// Base URL of the management API; `http://<host>:15672` if absent. Only the operator reads it.
    pub const MANAGEMENT_URI: &str = "management-uri";
}

/// Directory and key of the MongoDB credentials.
pub mod mongodb {
    /// Directory below the root.
    pub const DIRECTORY: &str = "mongodb";
    /// Connection string; required.
    pub const URI: &str = "uri";
}

/// Directory and keys of what users' tokens are verified with: at least one of them.
pub mod auth {
    /// Directory below the root.
    pub const DIRECTORY: &str = "auth";
    /// Secret of HS256, at least 32 bytes.
    pub const HS256: &str = "hs256";
    /// Public key of EdDSA (Ed25519), in PEM or as a JSON Web Key.
    pub const EDDSA: &str = "eddsa";
    /// JSON Web Key Set: several keys, told apart by `kid`.
    pub const JWKS: &str = "jwks";
}
