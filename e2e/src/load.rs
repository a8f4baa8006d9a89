//! `cargo e2e load`: users on a chat service, who do what a profile says while every message is followed to everyone who
//! must get it.

mod across;
mod cast;
mod cores;
mod files;
mod generator;
mod history;
mod ledger;
mod message;
mod meter;
mod oracle;
mod profile;
mod report;
mod rest;
mod schedule;
mod stage;
mod statistics;
mod surroundings;
mod target;
mod tls;
mod websocket;
mod wire;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::args::Load;
use crate::client::User;
use crate::output;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::release;

pub use across::Across;
use cast::Cast;
pub use cast::Talk;
pub use files::allow as allow_files;
use generator::{Outcome, Plan};
use history::Compared;
use message::Run;
pub use meter::{Meter, Processes, Role};
use oracle::Kind;
use profile::Profile;
use report::About;
#[cfg(test)]
pub use report::sample;
pub use report::{MedianSecond, Report, troubles};
use rest::Rest;
use stage::Stage;
pub use statistics::{Quantiles, median};
pub use surroundings::Surroundings;
use target::Service;
pub use target::{BareNode, Target};

/// Runs a profile, or lists the profiles if none is named. Fails if anything happened that must not.
pub async fn run(paths: &Paths, progress: &Progress, load: Load) -> Result<ExitCode> {
    let Some(name) = &load.profile else {
        list(paths)?;
        return Ok(ExitCode::SUCCESS);
    };
    let profile = profile(paths, (name, &load))?;
    if cfg!(debug_assertions) {
        return release::take_over(paths, progress).await;
    }
    let report = measure(paths, progress, (name, profile, &load)).await?;
    output::print(&format!("\n{report}"))?;
    if let Some(file) = &load.report {
        fs::write(file, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(paths: &Paths) -> Result<()> {
    let directory = paths.profiles();
    let mut text = String::from("Name a profile, or a YAML file like those of e2e/profiles:\n\n");
    for name in profile::names(&directory)? {
        let profile = Profile::find(&directory, &name)?;
        text += &format!("  {name:<16} {}\n", profile.description);
    }
    output::print(&text)
}

fn profile(paths: &Paths, (name, load): (&str, &Load)) -> Result<Profile> {
    let mut profile = Profile::find(&paths.profiles(), name)?;
    profile.users = load.users.unwrap_or(profile.users);
    profile.seed = load.seed.unwrap_or(profile.seed);
    profile.duration = load.duration.or(profile.duration);
    profile.check()?;
    Ok(profile)
}

async fn measure(
    paths: &Paths,
    progress: &Progress,
    (name, profile, load): (&str, Profile, &Load),
) -> Result<Report> {
    files::allow(profile.users)?;
    load.target.can_take(&profile)?;
    let service = Service::open(load, &profile, (paths, progress)).await?;
    let (began, cast) = (Timestamp::now(), Cast::of(&profile));
    let measured = tokio::select! {
        measured = on(&service, (&profile, &cast, began), progress) => measured,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
    };
    let versions = service.versions.clone();
    service.close().await?;
    let about = About {
        name: Path::new(name)
            .file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
        target: load.target.to_string(),
        began: began.to_string(),
        profile,
        surroundings: Surroundings::look(&paths.tree, versions).await,
    };
    Ok(Report::new(about, measured?))
}

/// Makes the channels, lets everything happen in them, and compares what came of it with the store.
async fn on(
    service: &Service,
    (profile, cast, began): (&Profile, &Cast, Timestamp),
    progress: &Progress,
) -> Result<(Outcome, Compared)> {
    let run = Run::new(format!("{:x}", began.as_millisecond()), profile.content_bytes);
    let token = |user| {
        let id = run.user(user);
        service.key.token(&User::new(&id, &id))
    };
    let tokens: Vec<String> = (0..profile.users).map(token).collect::<Result<_>>()?;
    let rest = Rest::new(service.way.clone())?;
    let stage = Stage { cast, run: &run, tokens: &tokens, rest: &rest, progress: *progress };
    let channels = stage.set().await?;
    let (begun, begins) = oneshot::channel();
    let plan = Plan {
        profile: profile.clone(),
        cast: cast.clone(),
        run,
        way: service.way.clone(),
        tokens: tokens.clone(),
        channels,
        begun,
        keeps_apart: service.keeps_apart,
    };
    let meter = Meter::new(service.watched.clone())?;
    let deeds = inflict(service, (profile, begins), progress);
    let (mut outcome, ()) = tokio::try_join!(generator::run(plan, (meter, *progress)), deeds)?;
    let compare = history::compare(&mut outcome.oracle, (cast, &tokens, &rest));
    let compared = match progress.step("compare with the store", compare).await {
        Ok(compared) => compared,
        // What is known so far is worth to be told.
        Err(error) => {
            outcome.oracle.verdict.add(Kind::NoHistory, || format!("{error:#}"));
            Compared::default()
        }
    };
    Ok((outcome, compared))
}

/// Does to the service what the profile says, each at its time.
async fn inflict(
    service: &Service,
    (profile, begins): (&Profile, oneshot::Receiver<Instant>),
    progress: &Progress,
) -> Result<()> {
    // Without traffic there is no time at which anything could happen.
    let Ok(begin) = begins.await else { return Ok(()) };
    for (at, deed) in profile.deeds() {
        tokio::time::sleep_until((begin + at).into()).await;
        progress.step(&deed.to_string(), service.suffer(deed)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
