//! A run from its begin to its end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use fastrand::Rng;
use tokio::sync::Semaphore;
use tokio::task::spawn_local;

use super::agenda::Task;
use super::alarm::Alarm;
use super::client::{Client, End};
use super::tally::Tally;
use super::watch::{self, Watch};
use super::world::{BUFFER_BYTES, World};
use super::{Measured, Outcome, Plan, life, pulse};
use crate::load::cast::{OFFICIAL, UserNumber};
use crate::load::meter::Meter;
use crate::load::oracle::Oracle;
use crate::load::profile::Profile;
use crate::load::schedule::Schedule;
use crate::load::wire::Reader;
use crate::progress::Progress;

/// How long a service may take beyond the time that was planned for connecting.
const CONNECTED_WITHIN: Duration = Duration::from_secs(180);
/// After the last connection, before the memory of the server is looked at.
const SETTLE: Duration = Duration::from_secs(2);
/// How long messages may take to be acknowledged and delivered everywhere after the last one.
const QUIET_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// Connects, lets everything happen, and waits until all is quiet.
pub async fn all(plan: Plan, (mut meter, progress): (Meter, Progress)) -> Result<Outcome> {
    let Plan { profile, cast, run, way, tokens, channels, begun, .. } = plan;
    let is_slow = |user: u32| is_slow(&profile, user);
    let world = Rc::new(World {
        cast,
        way,
        tokens,
        clients: (0..profile.users).map(|user| Client::new(is_slow(user))).collect(),
        reader: RefCell::new(Reader::new(run.clone())),
        oracle: RefCell::new(Oracle::new(run, &channels)),
        buffer: RefCell::new(vec![0; BUFFER_BYTES].into_boxed_slice()),
        tally: RefCell::new(Tally { measured_from: profile.warm_up(), ..Tally::default() }),
        agenda: RefCell::default(),
        rng: RefCell::new(Rng::new()),
        begin: Cell::new(Instant::now()),
    });
    let agenda = spawn_local(pulse::keep(world.clone()));
    let watch = spawn_local(watch::print(world.clone(), progress));
    meter.begin()?;
    let connected_s = connect(&world, &profile, &mut meter).await?.as_secs_f64();
    progress.say(format_args!(
        "{} users are signed in after {connected_s:.1} s: {:.0} a second",
        profile.users,
        f64::from(profile.users) / connected_s
    ));
    tokio::time::sleep(SETTLE).await;
    let connecting = meter.end()?;
    let measured = if profile.traffic() > Duration::ZERO {
        let schedule = Schedule::new(&profile, &world.cast);
        world.begin.set(Instant::now());
        // Nobody listens who has nothing to do then.
        let _ = begun.send(world.begin.get());
        Some(traffic(&world, (&profile, schedule), &mut meter).await?)
    } else {
        None
    };
    watch.abort();
    judge(&world);
    agenda.abort();
    for user in world.users() {
        world.client(user).end(End::Quit);
    }
    let empty = Oracle::new(world.oracle.borrow().run().clone(), &[]);
    let (oracle, tally) = (world.oracle.replace(empty), world.tally.take());
    Ok(Outcome { oracle, tally, connected_s, connecting, measured })
}

/// Slow users are spread evenly over all.
fn is_slow(profile: &Profile, user: u32) -> bool {
    let up_to = |user: u32| (f64::from(user) * profile.slow.percent / 100.0) as u32;
    up_to(user + 1) > up_to(user)
}

/// Brings all users in; the time that it took.
async fn connect(world: &Rc<World>, profile: &Profile, meter: &mut Meter) -> Result<Duration> {
    let begin = Instant::now();
    let connector = spawn_local(bring_in(world.clone(), profile.clone(), begin));
    let planned = profile.connect.per_second.map_or(0.0, |rate| f64::from(profile.users) / rate);
    let deadline = begin + Duration::from_secs_f64(planned) + CONNECTED_WITHIN;
    let mut next_look = begin;
    loop {
        let now = Instant::now();
        let signed_in = world.tally.borrow().signed_in;
        if signed_in == profile.users {
            return Ok(now - begin);
        }
        if now > deadline || !world.oracle.borrow().verdict.is_clean() {
            connector.abort();
            let why = Watch::of(&world.tally.borrow()).trouble;
            let verdict = world.oracle.borrow().verdict.to_string();
            bail!(
                "only {signed_in} of {} users are signed in after {:?} ({why}); {verdict}",
                profile.users,
                now - begin
            );
        }
        if now >= next_look {
            meter.look()?;
            next_look = now + Duration::from_secs(1);
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn bring_in(world: Rc<World>, profile: Profile, begin: Instant) -> Result<()> {
    let turns = Arc::new(Semaphore::new(profile.connect.at_once as usize));
    let alarm = Alarm::new()?;
    for user in world.users() {
        let planned =
            profile.connect.per_second.map(|rate| begin + Duration::from_secs_f64(f64::from(user.0) / rate));
        if let Some(planned) = planned {
            alarm.until(planned).await?;
        }
        let turn = turns.clone().acquire_owned().await?;
        let due = planned.unwrap_or_else(Instant::now);
        spawn_local(life::live(world.clone(), user, (due, turn)));
    }
    Ok(())
}

async fn traffic(
    world: &Rc<World>,
    (profile, schedule): (&Profile, Schedule<'_>),
    meter: &mut Meter,
) -> Result<Measured> {
    let measured_from = world.begin.get() + profile.warm_up();
    let follow = pulse::follow(world, schedule);
    tokio::pin!(follow);
    let warm = tokio::time::sleep_until(measured_from.into());
    let mut is_over = false;
    tokio::select! {
        followed = &mut follow => {
            followed?;
            is_over = true;
        }
        () = warm => {}
    }
    meter.begin()?;
    let before = world.tally.borrow().counts.clone();
    pause_slow(world, profile);
    let ended = world.begin.get() + profile.traffic();
    let rest = async {
        if !is_over {
            follow.await?;
        }
        tokio::time::sleep_until(ended.into()).await;
        quiet(world, QUIET_WITHIN + profile.slow.pause.as_std()).await;
        Ok::<_, anyhow::Error>(())
    };
    tokio::pin!(rest);
    let mut looks = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            ended = &mut rest => break ended?,
            _ = looks.tick() => meter.look()?,
        }
    }
    let scheduled_s = (profile.traffic() - profile.warm_up()).as_secs_f64();
    Ok(Measured { scheduled_s, before, usage: meter.end()? })
}

fn pause_slow(world: &World, profile: &Profile) {
    let until = Instant::now() + profile.slow.pause.as_std();
    for user in world.users().filter(|user| world.client(*user).is_slow) {
        world.client(user).paused.set(true);
        world.agenda.borrow_mut().add(until, Task::Read(user));
    }
}

/// Waits until everything is acknowledged and has arrived everywhere, or for too long.
async fn quiet(world: &World, within: Duration) {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline && !world.users().all(|user| is_done(world, user)) {
        tokio::time::sleep(POLL).await;
    }
}

fn is_done(world: &World, user: UserNumber) -> bool {
    let (state, oracle) = (world.client(user).state.borrow(), world.oracle.borrow());
    let up_to_date = |seat: crate::load::oracle::Seat| seat.last >= oracle.last(seat.room);
    state.is_quiet() && state.following.iter().all(|following| up_to_date(following.seat))
}

/// Every reader must follow their channels, and have got everything.
fn judge(world: &World) {
    let mut oracle = world.oracle.borrow_mut();
    for (user, own) in world.users().zip(world.cast.rooms_of_users()) {
        let mut state = world.client(user).state.borrow_mut();
        for room in [OFFICIAL].into_iter().chain(own) {
            match state.find(room) {
                Some(following) => oracle.ends(user, following.seat),
                None => oracle.absent(user, room),
            }
        }
    }
    oracle.settles();
}
