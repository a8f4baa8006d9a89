//! What hangs on a message beside its text. Only the description is kept here; the bytes lie where the URL says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most attachments of a message.
pub const ATTACHMENTS_MAX: usize = 10;
/// The most embeds of a message.
pub const EMBEDS_MAX: usize = 10;

/// A file that lies elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attachment {
    /// Its name, 1 to 255 characters.
    pub filename: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its media type, up to 127 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Where it can be fetched, `https` or `http`, up to 2,048 characters.
    pub url: String,
    /// Width in pixels, of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in pixels, of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// A box shown below the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Embed {
    /// Title, up to 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Text, up to 2,048 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the title leads, `https` or `http`, up to 2,048 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Colour of the box's edge, `0xRRGGBB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<u32>,
    /// A picture, `https` or `http`, up to 2,048 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
}
