//! A token, which nobody can make without the key.
#![no_main]

use std::sync::LazyLock;

use chat_node::auth::{SigningKey, Tokens};
use crds::node::AuthConfig;
use libfuzzer_sys::fuzz_target;

static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    let key = SigningKey::random().expect("the system gives random bytes");
    Tokens::new(key, &AuthConfig::default())
});

fuzz_target!(|text: &str| {
    assert!(TOKENS.verify(text).is_err());
});
