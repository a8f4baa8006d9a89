//! The faults of a site by name, for programs that are told how to harm it.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use super::{Member, Site, plot};
use crate::paths::Paths;

/// What can be done to a member of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// Kill it.
    Kill,
    /// Start it and wait until it serves.
    Start,
    /// Stop it in the middle of whatever it does.
    Pause,
    /// Let it go on.
    Resume,
    /// Make a broker take no publishes.
    Block,
    /// Make it take them again.
    Unblock,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

/// Do this to that member of this site.
#[derive(Args, Clone, Debug)]
pub struct Order {
    /// The site.
    site: String,
    /// What to do.
    action: Action,
    /// To whom.
    member: Member,
}

impl Order {
    /// Does it.
    pub async fn carry_out(&self, paths: &Paths) -> Result<()> {
        Site::at(paths, plot(&self.site)?)?.inflict(self.action, self.member).await
    }
}

impl Site {
    /// Does this to that member.
    pub async fn inflict(&self, action: Action, member: Member) -> Result<()> {
        match (action, member) {
            (Action::Kill, _) => self.kill(member).await,
            (Action::Start, _) => self.start(member).await,
            (Action::Pause, _) => self.pause(member),
            (Action::Resume, _) => self.resume(member),
            (Action::Block, Member::Broker(number)) => self.block(number, true).await,
            (Action::Unblock, Member::Broker(number)) => self.block(number, false).await,
            (Action::Block | Action::Unblock, _) => bail!("{member} is no broker"),
        }
    }

    /// The program that carries out `ACTION MEMBER` for this site.
    pub fn order_program(&self) -> PathBuf {
        self.directory("order")
    }

    pub(super) fn write_order(&self) -> Result<()> {
        let own = std::env::current_exe().context("this program does not know where it is")?;
        let text = format!("#!/bin/sh\nexec '{}' fault {} \"$@\"\n", own.display(), self.plot.name);
        let file = self.order_program();
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700))?;
        Ok(())
    }
}
