//! Fifty replicas of the real client module, on every transport, while connections are cut, messages are late, sends are
//! refused and the SignalR service is started anew. At the end every replica shows what the store has of what it follows,
//! and none ever showed an older state after a newer one. The same in Chromium, with fewer.

mod crowd;
mod fleet;
mod weather;

use std::sync::LazyLock;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use self::crowd::{Crowd, Member};
use self::fleet::Fleet;
use self::weather::Weather;
use crate::chaos::number;
use crate::stack::{Options, PATIENCE, Stack};

/// How long everything goes wrong in Node and in Chromium; `FIELDCAST_CHAOS_SEED` throws the same dice as a run that
/// failed (when they are thrown is up to the machine).
const NODE_CHAOS: Duration = Duration::from_secs(60);
const PAGE_CHAOS: Duration = Duration::from_secs(20);

/// Replicas. A page has fewer: all of them share its six HTTP connections to the API.
const NODE_CROWD: usize = 50;
const PAGE_CROWD: usize = 10;

/// Between two rounds of readings, which makes about 200 readings a second.
const ROUND: Duration = Duration::from_millis(100);

/// Between two looks at the replicas, and looks between two rounds of readings meanwhile: less than the time after which a
/// link that hears nothing asks the store, so that nothing is repaired but by what is tested.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: usize = 5;

/// One seed for both tests, which decides differently for each of them.
static SEED: LazyLock<u32> = LazyLock::new(|| {
    let given = number("FIELDCAST_CHAOS_SEED").map(|seed| u32::try_from(seed).expect("at most 32 bits"));
    given.unwrap_or_else(rand::random)
});

/// Says which dice were thrown when the test fails.
struct Dice(u32);

impl Dice {
    fn new() -> Dice {
        Dice(*SEED)
    }

    /// Decides whether changes are sent to groups or to everybody.
    fn is_even(&self) -> bool {
        self.0.is_multiple_of(2)
    }
}

impl Drop for Dice {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("with FIELDCAST_CHAOS_SEED={}", self.0);
        }
    }
}

/// On a busy machine a pause is longer, and none is shorter to make up for it.
fn pace(pause: Duration) -> Interval {
    let mut pace = interval(pause);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

/// Readings and troubles until the end, and until there was every kind of trouble.
async fn rage(stack: &Stack, fleet: &mut Fleet, weather: &mut Weather, end: Instant) {
    let mut pace = pace(ROUND);
    while Instant::now() < end || !weather.was_bad() {
        pace.tick().await;
        fleet.send_some(stack).await;
        weather.trouble().await;
    }
}

/// Waits until every replica is live, on a link that hears, and shows what the store has; the lively devices go on
/// reporting meanwhile.
async fn converged(crowd: &mut Crowd, stack: &Stack, fleet: &mut Fleet) -> Vec<Member> {
    let deadline = Instant::now() + PATIENCE;
    let mut pace = pace(LOOK);
    let mut looks = 0;
    loop {
        pace.tick().await;
        if looks % LOOKS == 0 {
            fleet.send_lively(stack).await;
            stack.drained().await;
        }
        looks += 1;
        let snapshot = stack.snapshot().await;
        let members = crowd.report().await;
        let missing: Vec<String> = members.iter().filter_map(|member| member.lacks(&snapshot)).collect();
        if missing.is_empty() {
            return members;
        }
        assert!(Instant::now() < deadline, "no convergence: {}", missing.join("\n"));
    }
}

/// The whole test, with a crowd that is started on the running system.
async fn chaos(
    seed: u32,
    to_groups: bool,
    length: Duration,
    mut options: Options<'_>,
    start: impl FnOnce(&Stack) -> Crowd,
) {
    let data = tempfile::tempdir().unwrap();
    let mut dice = StdRng::seed_from_u64(u64::from(seed));
    let mut weather = Weather::start(dice.random()).await;
    let mode = if to_groups { "groups" } else { "broadcast" };
    options.settings.push(("PublishMode", mode.to_owned()));
    options.settings.push(("AzureSignalRConnectionString", weather.connection_string()));
    let stack = Stack::start(&format!("Embedded={}", data.path().display()), options).await;
    let mut fleet = Fleet::new(dice.random());
    fleet.send_all(&stack).await;

    let mut crowd = start(&stack);
    // A browser takes a while to start; the chaos begins when everybody is there.
    crowd.report().await;
    rage(&stack, &mut fleet, &mut weather, Instant::now() + length).await;
    // What the silent devices said last is not said again: who missed it has to ask.
    crowd.calm().await;
    weather.clear().await;
    converged(&mut crowd, &stack, &mut fleet).await;
    // Links that are up and bring nothing, in a fleet that goes on reporting.
    crowd.deafen().await;
    let members = converged(&mut crowd, &stack, &mut fleet).await;

    println!("seed {seed}, {mode}: {} readings", stack.hub.accepted());
    println!("{} troubles of the service", weather.troubles());
    crowd::check(&members);
    crowd.stop().await;
    stack.stop().await;
    weather.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_replicas_converge_after_a_minute_of_chaos_and_none_ever_goes_back() {
    let dice = Dice::new();
    let start = |stack: &Stack| Crowd::in_node(&stack.url("/api"), dice.0, NODE_CROWD);
    chaos(dice.0, dice.is_even(), NODE_CHAOS, Options::default(), start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_in_a_browser_converge_after_chaos_and_none_ever_goes_back() {
    let dice = Dice::new();
    let pages = crowd::pages();
    let options = Options { pages: Some(pages.path()), ..Options::default() };
    let page = |stack: &Stack| {
        Crowd::in_chromium(&stack.url(&format!("/crowd.html?seed={}&size={PAGE_CROWD}", dice.0)))
    };
    chaos(dice.0, !dice.is_even(), PAGE_CHAOS, options, page).await;
}
