//! Every kind of body that a REST request may have.

use chat_node::api::channels::OpenDirect;
use chat_node::api::development::DevelopmentLogin;
use chat_node::api::members::MemberRole;
use chat_node::api::messages::NewMessage;
use chat_node::api::overrides::Overrides;
use chat_node::api::reads::ReadUpTo;
use chat_node::channels::change::Edit;
use chat_node::channels::groups::{ChannelPatch, ChannelPlan, GroupPatch};
use chat_node::groups::GroupSettings;
use chat_node::http::extract::parse;

/// How many of them can be read from `bytes`.
pub fn readable(bytes: &[u8]) -> usize {
    let is_read = [
        parse::<OpenDirect>(bytes).is_ok(),
        parse::<DevelopmentLogin>(bytes).is_ok(),
        parse::<MemberRole>(bytes).is_ok(),
        parse::<NewMessage>(bytes).is_ok(),
        parse::<Overrides>(bytes).is_ok(),
        parse::<ReadUpTo>(bytes).is_ok(),
        parse::<Edit>(bytes).is_ok(),
        parse::<ChannelPatch>(bytes).is_ok(),
        parse::<ChannelPlan>(bytes).is_ok(),
        parse::<GroupPatch>(bytes).is_ok(),
        parse::<GroupSettings>(bytes).is_ok(),
    ];
    is_read.into_iter().filter(|is_read| *is_read).count()
}
