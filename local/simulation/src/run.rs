//! One run: the world from a seed, the faults of a plan, quiet, and the checks.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, sleep_until};

use crate::checks;
use crate::host::Host;
use crate::plan::{Fault, Moment};
use crate::protection::Protection;
use crate::screens::{Screens, WATCHING};
use crate::workload::WORK_LASTS;
use crate::world::{Tally, Violation, World};

/// When faults end. Later than the longest of them begins, so that each may act.
const FAULTS_END: Moment = WORK_LASTS * 5 / 2;

/// A world that is not quiet by then never will be: the longest pauses are one minute.
const QUIET_BY: Moment = 3 * 3_600_000;

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Promises that were broken; none in a good run.
    pub violations: Vec<Violation>,
    /// What happened, in numbers.
    pub tally: Tally,
    /// What happened, in sentences, where that was asked for.
    pub story: Vec<String>,
}

/// Whether a run tells its story. Telling takes longer than running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Only numbers.
    Silent,
    /// Every step.
    Story,
}

/// Runs the world of a seed with these faults, and with a protection taken away or none.
pub fn run(seed: u64, plan: &[Fault], without: Option<Protection>, telling: Telling) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without input and output can be made");
    runtime.block_on(live(seed, plan, without, telling))
}

async fn live(seed: u64, plan: &[Fault], without: Option<Protection>, telling: Telling) -> Outcome {
    let world = Arc::new(World::new(seed, plan, without, telling == Telling::Story));
    let screens = Arc::new(Screens::new(&world));
    let host = Host::start(&world, &screens);
    for screen in 0..WATCHING {
        tokio::spawn(Arc::clone(&screens).watch(screen, Arc::clone(&host)));
    }
    for run in 0..world.workload.manual_runs.len() {
        let (host, under_way) = (Arc::clone(&host), world.begin());
        let at = world.instant(world.workload.manual_runs[run].at);
        tokio::spawn(async move {
            sleep_until(at).await;
            host.run_by_hand(run).await;
            drop(under_way);
        });
    }
    for fault in plan {
        schedule(fault.clone(), &world, &host, &screens);
    }
    sleep_until(world.instant(FAULTS_END)).await;
    world.faults.end();
    world.tell(|| "nothing goes wrong from here on".to_owned());
    match quiet(&world, &host, &screens).await {
        true => checks::check_all(&world, &screens),
        false => {
            world.violated("the world comes to rest", "something goes on for hours after the last fault")
        }
    }
    let mut record = world.record();
    record.tally.add("events", world.workload.messages() as u64);
    Outcome {
        violations: std::mem::take(&mut record.violations),
        tally: std::mem::take(&mut record.tally),
        story: record.story.take().unwrap_or_default(),
    }
}

/// Waits until everything is delivered and every screen has loaded once more.
async fn quiet(world: &World, host: &Host, screens: &Screens) -> bool {
    let mut delivered = None;
    while world.now() < QUIET_BY {
        match delivered {
            None if host.is_done() && world.is_idle() => delivered = Some(world.now()),
            Some(moment) if screens.loaded_since(moment) && world.is_idle() => return true,
            _ => {}
        }
        sleep(Duration::from_secs(1)).await;
    }
    false
}

/// Faults that happen at a moment of their own; the others wait for their number to come up.
fn schedule(fault: Fault, world: &Arc<World>, host: &Arc<Host>, screens: &Arc<Screens>) {
    let at = match fault {
        Fault::Pause { at, .. }
        | Fault::Steal { at, .. }
        | Fault::Replay { at, .. }
        | Fault::ClockJump { at, .. }
        | Fault::Calibrate { at, .. }
        | Fault::Disconnect { at, .. } => world.instant(at),
        _ => return,
    };
    let (world, host, screens) = (Arc::clone(world), Arc::clone(host), Arc::clone(screens));
    tokio::spawn(async move {
        sleep_until(at).await;
        strike(&fault, &world, &host, &screens);
    });
}

fn strike(fault: &Fault, world: &World, host: &Arc<Host>, screens: &Screens) {
    let now = world.now();
    match *fault {
        Fault::Pause { instance, lasts, .. } => host.instance(instance).pause(now + lasts),
        Fault::ClockJump { instance, by, .. } => host.instance(instance).jump(by),
        Fault::Calibrate { device, intercept, .. } => {
            world.tables().calibrate(&world.workload.devices[device], intercept, &world.catalogue);
        }
        Fault::Disconnect { screen, lasts, .. } => screens.disconnect(screen, now + lasts),
        // These two count themselves: without an owner there is nothing to do.
        Fault::Steal { partition, overlap, .. } => return host.steal(partition, overlap),
        Fault::Replay { partition, back, .. } => return host.replay(partition, back),
        _ => return,
    }
    world.injected(fault.kind());
}
