//! A user name and a password, made for services that this program starts.

use std::fmt;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// What a service takes. The password is letters and digits only: it needs no escape in a URI.
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

impl Login {
    /// The login that was written down in this file.
    pub fn of(file: &Path) -> Result<Self> {
        let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not as it was written", file.display()))
    }

    /// Reads the login, or makes one and writes it down for this user only.
    pub fn ensure(file: &Path) -> Result<Self> {
        if file.is_file() {
            return Self::of(file);
        }
        let mut bytes = [0_u8; 16];
        SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("the system gives no random bytes"))?;
        let password = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let login = Self { username: "vibetalk".to_owned(), password };
        let mut options = fs::OpenOptions::new();
        let out = options.write(true).create_new(true).mode(0o600).open(file);
        let mut out = out.with_context(|| format!("cannot write {}", file.display()))?;
        out.write_all(&serde_json::to_vec(&login)?)?;
        Ok(login)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_made_once_and_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("login.json");
        let made = Login::ensure(&file).unwrap();
        assert_eq!(Login::ensure(&file).unwrap().password, made.password);
        assert!(!format!("{made:?}").contains(&made.password));
    }
}
