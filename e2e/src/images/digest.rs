//! What an image's name is made from: a digest of everything that goes into it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use ring::digest;

/// How many hex digits of the digest the tag of an image shows.
const SHOWN: usize = 12;

/// The things that go into one image.
#[derive(Clone)]
pub struct Ingredients {
    /// The image's name.
    pub name: &'static str,
    digest: digest::Context,
}

impl Ingredients {
    /// Nothing yet, for the image of this name; `version` counts the changes of how it is made.
    pub fn new(name: &'static str, version: u32) -> Self {
        let none = Self { name, digest: digest::Context::new(&digest::SHA256) };
        none.text(name).text(&version.to_string())
    }

    /// Adds a text.
    pub fn text(mut self, text: &str) -> Self {
        self.digest.update(&(text.len() as u64).to_be_bytes());
        self.digest.update(text.as_bytes());
        self
    }

    /// Adds the content of a file.
    pub fn file(self, path: &Path) -> Result<Self> {
        let sum = sha256(path)?;
        Ok(self.text(&sum))
    }

    /// The digest's first digits.
    pub fn tag(&self) -> String {
        let mut tag = hex(self.digest.clone().finish().as_ref());
        tag.truncate(SHOWN);
        tag
    }
}

/// The SHA-256 of a file, in hex.
fn sha256(path: &Path) -> Result<String> {
    let unreadable = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(unreadable)?;
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer).with_context(unreadable)? {
            0 => return Ok(hex(digest.finish().as_ref())),
            length => digest.update(&buffer[..length]),
        }
    }
}

/// Bytes as hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_changes_with_every_ingredient_and_with_nothing_else() {
        let tag =
            |texts: &[&str]| texts.iter().fold(Ingredients::new("x", 1), |all, text| all.text(text)).tag();
        assert_eq!(tag(&["a", "b"]), tag(&["a", "b"]));
        assert_ne!(tag(&["a", "b"]), tag(&["ab"]));
        assert_ne!(tag(&["a"]), tag(&["a", ""]));
        assert_eq!(tag(&["a"]).len(), 12);
    }
}
