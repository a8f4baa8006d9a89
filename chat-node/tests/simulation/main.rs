//! A cluster of real nodes in a simulated world: a store, a bus, clocks and clients that fail in every way they can,
//! in virtual time, all from one number. The same seed is the same run.
//!
//! `VT_SIM_SEEDS=N` runs N seeds, `VT_SIM_SEED=S` runs one and shows it.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod chaos;
mod claims;
mod client;
mod clock;
mod cluster;
mod confirms;
mod dice;
mod exchange;
mod flaw;
mod life;
mod model;
mod moderator;
mod network;
mod node_bus;
mod operator;
mod oracle;
mod remote;
mod run;
mod seeds;
mod trace;
mod weather;
mod wire;
mod world;

use self::flaw::Flaw;
use self::run::run;
use self::seeds::{first_failure, number, shown};

/// Seeds that are run unless told otherwise.
const SEEDS: u64 = 700;

#[test]
fn every_client_sees_each_channel_once_all_and_in_order_whatever_fails() {
    if let Some(seed) = number("VT_SIM_SEED") {
        let outcome = run(seed, None);
        let text = shown(seed, &outcome);
        assert!(outcome.failure.is_none(), "{text}");
        return println!("{text}");
    }
    let seeds = number("VT_SIM_SEEDS").unwrap_or(SEEDS);
    let begun = std::time::Instant::now();
    let (failed, entries) = first_failure(seeds, None);
    if let Some((seed, outcome)) = failed {
        panic!("{}", shown(seed, &outcome));
    }
    println!("{seeds} seeds, {entries} entries, {:.1} s", begun.elapsed().as_secs_f64());
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..10 {
        let (first, second) = (run(seed, None), run(seed, None));
        assert_eq!((first.hash(), first.events()), (second.hash(), second.events()), "seed {seed}");
    }
}

/// One of the first seeds must find the flaw.
fn finds(flaw: Flaw, within: u64) {
    let (failed, _) = first_failure(within, Some(flaw));
    let (seed, outcome) = failed.unwrap_or_else(|| panic!("{flaw:?} is not found by {within} seeds"));
    let violation = outcome.failure.unwrap().violation;
    println!("{flaw:?} is found at seed {seed}: {}", violation.what);
}

#[test]
fn seals_that_replace_what_is_there_are_found() {
    finds(Flaw::SealsReplace, 800);
}

#[test]
fn late_writers_that_replace_a_seal_are_found() {
    finds(Flaw::LateWritersReplace, 100);
}

#[test]
fn messages_that_are_told_before_they_are_stored_are_found() {
    finds(Flaw::TellsBeforeStoring, 100);
}

#[test]
fn a_server_id_that_two_nodes_hold_is_found() {
    finds(Flaw::OneServerId, 100);
}

#[test]
fn nonces_that_are_stored_twice_are_found() {
    finds(Flaw::NoncesRepeat, 100);
}

#[test]
fn missed_entries_that_are_taken_for_nothing_are_found() {
    finds(Flaw::MissedIsNothing, 100);
}

#[test]
fn entries_that_do_not_say_who_may_read_them_are_found() {
    finds(Flaw::EntriesLoseAccess, 200);
}

#[test]
fn senders_that_are_not_checked_again_are_found() {
    finds(Flaw::ReservationsLoseAccess, 100);
}

#[test]
fn roles_that_are_older_than_their_version_are_found() {
    finds(Flaw::RolesAreOld, 100);
}

#[test]
fn roles_that_are_written_over_newer_ones_are_found() {
    finds(Flaw::RolesHaveNoFence, 200);
}

#[test]
fn nacks_that_are_taken_for_nothing_are_found() {
    finds(Flaw::NacksAreNothing, 100);
}

#[test]
fn publishes_that_are_repeated_blindly_are_found() {
    finds(Flaw::NacksAreRepeated, 100);
}

#[test]
fn times_that_step_back_are_found() {
    finds(Flaw::TimesStepBack, 100);
}

#[test]
fn messages_that_overtake_one_another_are_found() {
    finds(Flaw::FramesOvertake, 100);
}
