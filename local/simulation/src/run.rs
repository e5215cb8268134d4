//! One run: the world from a seed, the faults of a plan, quiet, and the checks.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, sleep_until};

use crate::browser::Browser;
use crate::checks;
use crate::host::Host;
use crate::instance::Instance;
use crate::plan::Fault;
use crate::protection::Protection;
use crate::record::{Tally, Violation};
use crate::scenario::{FAULTS_END, QUIET_BY};
use crate::screens::{Forward, Screens};
use crate::signalr::SignalR;
use crate::world::World;

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

/// Runs the world of a seed with these faults, and with a protection taken away or none. Its screens are in `browser`.
pub fn run(
    browser: &Browser,
    seed: u64,
    plan: &[Fault],
    without: Option<Protection>,
    telling: Telling,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without input and output can be made");
    let world = || World::new(seed, plan, without, telling == Telling::Story);
    runtime.block_on(async { live(Arc::new(world()), plan, browser).await })
}

async fn live(world: Arc<World>, plan: &[Fault], browser: &Browser) -> Outcome {
    let signalr = Arc::new(SignalR::new(&world));
    let instances = (0..world.workload.instances).map(|number| Instance::new(number, &world, &signalr));
    let host = Arc::new(Host::start(&world, instances.collect()));
    let screens = Screens::open(&world, &signalr, forward(&host), browser);
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

/// The way of clients to the handlers.
fn forward(host: &Arc<Host>) -> Forward {
    let host = Arc::clone(host);
    Arc::new(move |request| {
        let host = Arc::clone(&host);
        Box::pin(async move { host.fetch(request).await.ok() })
    })
}

/// Waits until everything is delivered and every screen has asked the store once more.
async fn quiet(world: &World, host: &Host, screens: &Screens) -> bool {
    let mut delivered = None;
    while world.now() < QUIET_BY {
        match delivered {
            None if host.is_done() && world.is_idle() => delivered = Some(world.now()),
            Some(moment) if screens.have_caught_up_since(moment) => return true,
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
        | Fault::Disconnect { at, .. }
        | Fault::Deaf { at, .. }
        | Fault::Follow { at, .. } => world.instant(at),
        _ => return,
    };
    let (world, host, screens) = (Arc::clone(world), Arc::clone(host), Arc::clone(screens));
    tokio::spawn(async move {
        sleep_until(at).await;
        strike(&fault, &world, &host, &screens);
    });
}

fn strike(fault: &Fault, world: &World, host: &Host, screens: &Arc<Screens>) {
    let now = world.now();
    match *fault {
        Fault::Pause { instance, lasts, .. } => host.instance(instance).pause(now + lasts),
        Fault::ClockJump { instance, by, .. } => host.instance(instance).jump(by),
        Fault::Calibrate { device, intercept, .. } => {
            world.tables.calibrate(&world.workload.devices[device], intercept);
        }
        Fault::Disconnect { screen, lasts, .. } => screens.disconnect(screen, now + lasts),
        // It counts what is lost.
        Fault::Deaf { screen, lasts, .. } => return screens.deafen(screen, now + lasts),
        Fault::Follow { screen, ref following, .. } => screens.follow(screen, following),
        // These two count themselves: without an owner there is nothing to do.
        Fault::Steal { partition, overlap, .. } => return host.steal(partition, overlap),
        Fault::Replay { partition, back, .. } => return host.replay(partition, back),
        _ => return,
    }
    world.injected(fault.kind());
}
