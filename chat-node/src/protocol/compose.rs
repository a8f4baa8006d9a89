//! What a message, a channel and a group may say of themselves. Pure.

use crate::error::{ErrorCode, Problem};
use crate::groups::permission::OVERRIDES_MAX;
use crate::groups::{GroupSettings, Override};
use crate::limits::{CONTENT_CHARS, NAME_CHARS, NONCE_CHARS, is_name};
use crate::protocol::attachment::{ATTACHMENTS_MAX, Attachment, EMBEDS_MAX, Embed};
use crate::protocol::message::{ChannelSettings, Composed};

/// The most users that a message mentions.
pub const MENTIONS_MAX: usize = 50;
/// The most characters of a topic.
pub const TOPIC_CHARS: usize = 1_024;
/// The longest slow mode in seconds: six hours.
pub const SLOW_MODE_MAX_S: u16 = 21_600;
/// The flags that authors may set.
pub const AUTHORS_FLAGS: u32 = 4 | 4_096;

const FILENAME_CHARS: usize = 255;
const MEDIA_TYPE_CHARS: usize = 127;
const URL_CHARS: usize = 2_048;
const TITLE_CHARS: usize = 256;
const DESCRIPTION_CHARS: usize = 2_048;

/// Checks a nonce.
///
/// # Errors
/// [`ErrorCode::InvalidNonce`].
pub fn nonce(nonce: &str) -> Result<(), Problem> {
    if (1..=NONCE_CHARS).contains(&nonce.chars().count()) {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::InvalidNonce, format!("a nonce has 1 to {NONCE_CHARS} characters")))
}

/// Checks what an author has composed; each user is mentioned once afterwards.
///
/// # Errors
/// [`ErrorCode::InvalidContent`], which says what is wrong.
pub fn composed(mut composed: Composed) -> Result<Composed, Problem> {
    let length = composed.content.chars().count();
    let is_blank = composed.content.trim().is_empty();
    let has_more = !composed.attachments.is_empty() || !composed.embeds.is_empty();
    if length > CONTENT_CHARS || is_blank && !has_more {
        return Err(invalid(format!(
            "a message has 1 to {CONTENT_CHARS} characters and is not blank; this one has {length}"
        )));
    }
    at_most(composed.attachments.len(), ATTACHMENTS_MAX, "attachments")?;
    at_most(composed.embeds.len(), EMBEDS_MAX, "embeds")?;
    composed.attachments.iter().try_for_each(attachment)?;
    composed.embeds.iter().try_for_each(embed)?;
    if composed.flags.0 & !AUTHORS_FLAGS != 0 {
        return Err(invalid(format!("`flags` may hold 4 and 4096, not {}", composed.flags.0)));
    }
    let mut seen = std::collections::BTreeSet::new();
    composed.mentions.retain(|user| seen.insert(user.clone()));
    at_most(composed.mentions.len(), MENTIONS_MAX, "mentions")?;
    Ok(composed)
}

/// Checks a channel's settings.
///
/// # Errors
/// [`ErrorCode::InvalidName`], [`ErrorCode::InvalidContent`].
pub fn channel_settings(settings: &ChannelSettings) -> Result<(), Problem> {
    shown(&settings.name, &settings.topic)?;
    if settings.slow_mode_s > SLOW_MODE_MAX_S {
        return Err(invalid(format!("`slow_mode_s` is at most {SLOW_MODE_MAX_S}")));
    }
    Ok(())
}

/// Checks a group's settings.
///
/// # Errors
/// [`ErrorCode::InvalidName`], [`ErrorCode::InvalidContent`].
pub fn group_settings(settings: &GroupSettings) -> Result<(), Problem> {
    shown(&settings.name, &settings.topic)
}

/// Checks a channel's overrides.
///
/// # Errors
/// [`ErrorCode::TooMany`]; [`ErrorCode::InvalidContent`] for two with the same target.
pub fn overrides(overrides: &[Override]) -> Result<(), Problem> {
    if overrides.len() > OVERRIDES_MAX {
        let message = format!("a channel has at most {OVERRIDES_MAX} overrides");
        return Err(Problem::new(ErrorCode::TooMany, message));
    }
    let targets: std::collections::BTreeSet<_> = overrides.iter().map(|each| &each.target).collect();
    if targets.len() < overrides.len() {
        return Err(invalid("two overrides have the same target".to_owned()));
    }
    Ok(())
}

fn attachment(attachment: &Attachment) -> Result<(), Problem> {
    let name = attachment.filename.chars().count();
    if !(1..=FILENAME_CHARS).contains(&name) || attachment.filename.chars().any(char::is_control) {
        return Err(invalid(format!(
            "an attachment's `filename` has 1 to {FILENAME_CHARS} printable characters"
        )));
    }
    within(attachment.content_type.as_deref(), MEDIA_TYPE_CHARS, "an attachment's `content_type`")?;
    url(Some(&attachment.url), "an attachment's `url`")
}

fn embed(embed: &Embed) -> Result<(), Problem> {
    if *embed == Embed::default() {
        return Err(invalid("an embed is empty".to_owned()));
    }
    within(embed.title.as_deref(), TITLE_CHARS, "an embed's `title`")?;
    within(embed.description.as_deref(), DESCRIPTION_CHARS, "an embed's `description`")?;
    url(embed.url.as_deref(), "an embed's `url`")?;
    url(embed.image_url.as_deref(), "an embed's `image_url`")?;
    if embed.color.is_some_and(|color| color > 0xff_ff_ff) {
        return Err(invalid("an embed's `color` is at most 0xFFFFFF".to_owned()));
    }
    Ok(())
}

fn shown(name: &str, topic: &str) -> Result<(), Problem> {
    if !is_name(name) {
        let message = format!("`name` has 1 to {NAME_CHARS} printable characters, no space at its ends");
        return Err(Problem::new(ErrorCode::InvalidName, message));
    }
    within(Some(topic), TOPIC_CHARS, "`topic`")
}

/// Only addresses that a browser can follow without running anything.
fn url(url: Option<&str>, what: &str) -> Result<(), Problem> {
    let Some(url) = url else { return Ok(()) };
    within(Some(url), URL_CHARS, what)?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let sound = |rest: &str| !rest.is_empty() && !rest.chars().any(|c| c.is_control() || c.is_whitespace());
    if rest.is_some_and(sound) { Ok(()) } else { Err(invalid(format!("{what} is no http or https address"))) }
}

fn within(text: Option<&str>, limit: usize, what: &str) -> Result<(), Problem> {
    match text.map(|text| text.chars().count()).filter(|length| *length > limit) {
        Some(length) => Err(invalid(format!("{what} has at most {limit} characters; this one has {length}"))),
        None => Ok(()),
    }
}

fn at_most(count: usize, limit: usize, what: &str) -> Result<(), Problem> {
    if count <= limit {
        return Ok(());
    }
    Err(invalid(format!("a message has at most {limit} {what}; this one has {count}")))
}

fn invalid(message: String) -> Problem {
    Problem::new(ErrorCode::InvalidContent, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::{OverrideTarget, Permissions, Role};
    use crate::protocol::message::MessageFlags;

    fn text(content: &str) -> Composed {
        Composed { content: content.to_owned(), ..Composed::default() }
    }

    fn file(url: &str) -> Attachment {
        Attachment {
            filename: "a.png".to_owned(),
            size: 1,
            content_type: None,
            url: url.to_owned(),
            width: None,
            height: None,
        }
    }

    fn is_taken(made: Composed) -> bool {
        composed(made).is_ok()
    }

    #[test]
    fn a_message_needs_text_or_something_beside_it() {
        assert!(is_taken(text("hi")) && is_taken(text(&"é".repeat(4_000))));
        for content in ["", " \n", &"x".repeat(4_001)] {
            assert!(!is_taken(text(content)), "{} characters were taken", content.len());
        }
        assert!(is_taken(Composed { attachments: vec![file("https://x.test/a")], ..text("") }));
    }

    #[test]
    fn what_hangs_on_a_message_is_bounded_and_leads_nowhere_but_to_the_web() {
        for url in ["javascript:alert(1)", "data:text/html,x", "https://", "https://a b", "ftp://x", ""] {
            assert!(!is_taken(Composed { attachments: vec![file(url)], ..text("x") }), "{url}");
            let embed = Embed { url: Some(url.to_owned()), ..Embed::default() };
            assert!(!is_taken(Composed { embeds: vec![embed], ..text("x") }), "{url}");
        }
        let many = vec![file("https://x.test/a"); 11];
        assert!(!is_taken(Composed { attachments: many, ..text("x") }));
        assert!(!is_taken(Composed { embeds: vec![Embed::default()], ..text("x") }));
        let title = Embed { title: Some("x".repeat(257)), ..Embed::default() };
        assert!(!is_taken(Composed { embeds: vec![title], ..text("x") }));
    }

    #[test]
    fn each_user_is_mentioned_once_and_at_most_50_are() {
        let users = |count: usize| (0..count).map(|n| format!("u{n}").parse().unwrap()).collect::<Vec<_>>();
        let twice = [users(3), users(3)].concat();
        assert_eq!(composed(Composed { mentions: twice, ..text("x") }).unwrap().mentions, users(3));
        assert!(!is_taken(Composed { mentions: users(51), ..text("x") }));
    }

    #[test]
    fn only_the_flags_of_authors_are_taken() {
        for (flags, taken) in [(0, true), (4, true), (4_100, true), (1, false), (u32::MAX, false)] {
            assert_eq!(is_taken(Composed { flags: MessageFlags(flags), ..text("x") }), taken, "{flags}");
        }
    }

    #[test]
    fn settings_and_overrides_are_bounded() {
        let settings = |name: &str, slow_mode_s| ChannelSettings {
            name: name.to_owned(),
            topic: String::new(),
            slow_mode_s,
        };
        assert!(channel_settings(&settings("general", 21_600)).is_ok());
        assert_eq!(channel_settings(&settings("", 0)).unwrap_err().code, ErrorCode::InvalidName);
        assert_eq!(channel_settings(&settings("x", 21_601)).unwrap_err().code, ErrorCode::InvalidContent);
        let each = |n: usize| Override {
            target: OverrideTarget::User(format!("u{n}").parse().unwrap()),
            allow: Permissions::NONE,
            deny: Permissions::ALL,
        };
        assert!(overrides(&(0..50).map(each).collect::<Vec<_>>()).is_ok());
        assert_eq!(overrides(&(0..51).map(each).collect::<Vec<_>>()).unwrap_err().code, ErrorCode::TooMany);
        let muted = Override { target: OverrideTarget::Role(Role::Muted), ..each(0) };
        assert!(overrides(&[muted.clone(), muted]).is_err());
    }
}
