//! A body of a REST request.
#![no_main]

use chat_node::api::channels::OpenDirect;
use chat_node::api::development::DevelopmentLogin;
use chat_node::api::members::MemberRole;
use chat_node::api::messages::NewMessage;
use chat_node::api::overrides::Overrides;
use chat_node::api::reads::ReadUpTo;
use chat_node::http::extract::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = (parse::<OpenDirect>(bytes), parse::<DevelopmentLogin>(bytes), parse::<NewMessage>(bytes));
    let _ = (parse::<MemberRole>(bytes), parse::<Overrides>(bytes), parse::<ReadUpTo>(bytes));
});
