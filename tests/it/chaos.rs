//! The faults of the simulation against real parts: two handlers on one Azurite, a network that cuts and truncates, and
//! `kill -9`. At the end every count is exact.

mod fleet;
mod http;
mod proxy;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fieldcast_functions_host::{Host, HostStatus, KillMoment, LogSink};
use fieldcast_tables::Value;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, timeout, timeout_at};

use self::fleet::{Sensor, check_tables, totals};
use self::proxy::{ChaosProxy, Counts};
use crate::end_to_end::Screen;
use crate::stack::{Account, Options, PATIENCE, SOON, Stack};

/// How long handlers are killed; `FIELDCAST_CHAOS_SECONDS` makes it longer, and `FIELDCAST_CHAOS_SEED` throws the same
/// dice as a run that failed (when they are thrown is up to the machine).
const SECONDS: u64 = 60;

/// After the faults end, what is left to do takes seconds; this is for a machine that compiles meanwhile.
const LONG_PATIENCE: Duration = Duration::from_secs(300);

/// The longest pause of the host between two deliveries, so that a batch that failed often is tried again soon.
const NEVER_LATE: (&str, &str) =
    ("\"maximumInterval\": \"00:01:00\"", "\"maximumInterval\": \"00:00:00.500\"");

/// Messages of each device in a wave: enough for several batches of every partition.
const ROUNDS: usize = 4;

/// Devices.
const SENSORS: u64 = 40;

/// Events per batch: small, so that a minute has many.
const BATCH: usize = 15;

#[expect(clippy::disallowed_methods, reason = "how hard a test tries is no setting of the handler")]
pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a whole number"))
}

/// How many events a host is done with.
fn done(status: &HostStatus) -> u64 {
    status.partitions.iter().map(|partition| partition.position).sum()
}

/// One of two hosts with its handler, which own every partition both.
struct Owner<'a> {
    host: &'a Host,
    /// Its own way to storage, so that its requests can be told from the other's.
    proxy: &'a ChaosProxy,
    seed: u64,
}

impl Owner<'_> {
    fn prepare(&self) {
        self.host.restart_without_limit();
        self.host.faults().cap_batch_size(Some(BATCH));
        self.proxy.go_wild();
    }

    /// Kills the handler again and again, and disturbs the deliveries in between. The moments are counted in its own
    /// requests to storage, so that it dies while it has something to lose, and one that starts slowly is left to work.
    /// Returns how often a partition was read again from an older position.
    async fn kill_until(&self, end: Instant) -> u64 {
        let (mut dice, mut replays) = (StdRng::seed_from_u64(self.seed), 0);
        let faults = self.host.faults();
        loop {
            let moment = self.proxy.counts().requests + dice.random_range(1..=120);
            if timeout_at(end, self.proxy.reached(|counts| counts.requests >= moment)).await.is_err() {
                return replays;
            }
            match dice.random_range(0..10) {
                0..4 => self.host.kill_handler(),
                4 => faults.kill_during_next_batch(KillMoment::ReplyLost),
                5 => {
                    let status = self.host.status();
                    let partition = &status.partitions[dice.random_range(0..status.partitions.len())];
                    let older = partition.position.saturating_sub(dice.random_range(1..=100));
                    faults.redeliver_from(&partition.partition, older);
                    replays += 1;
                }
                // The other owner is rarely at the same event in the same moment; a batch of two deliveries is.
                _ => (0..4).for_each(|_| faults.overlap_next_batch()),
            }
        }
    }

    /// Ends the faults and waits until everything is worked off.
    async fn drained(&self) {
        self.proxy.calm_down();
        if let Err(status) = self.host.drained(LONG_PATIENCE).await {
            panic!("the hub was not drained: {status:?}");
        }
    }
}

/// The devices send in waves, held back until a wave is in the hub, so that both owners begin with the same event in the
/// same moment and are in each other's way until both are through.
async fn send_until(end: Instant, sensors: &mut [Sensor], stack: &Stack, owners: &[Owner<'_>; 2]) {
    while Instant::now() < end {
        owners.iter().for_each(|owner| owner.host.faults().hold_all());
        for _ in 0..ROUNDS {
            join_all(sensors.iter_mut().map(|sensor| sensor.send(stack))).await;
        }
        owners.iter().for_each(|owner| owner.host.faults().release_all());
        for owner in owners {
            let through = |status: &HostStatus| done(status) == stack.hub.accepted();
            // Whether it is through or the end came, the loop's condition decides.
            drop(timeout_at(end, owner.host.reached(LONG_PATIENCE, through)).await);
        }
    }
}

/// Readings that came again after they had been counted, as far as the answers that arrived say.
fn redelivered(lines: &[String]) -> u64 {
    let known = |line: &String| {
        let (before, _) = line.split_once(" known already")?;
        before.rsplit(' ').next()?.parse::<u64>().ok()
    };
    lines.iter().filter_map(known).sum()
}

/// How often each kind of fault happened; a kind that never did makes the run worthless.
fn check_faults(owners: &[Owner<'_>; 2], replays: u64, lines: &[String]) {
    let counted =
        |count: fn(&Counts) -> u64| owners.iter().map(|owner| count(&owner.proxy.counts())).sum::<u64>();
    let happened = [
        // Every start but the first follows a kill.
        ("kills", owners.iter().map(|owner| owner.host.status().handler_starts - 1).sum()),
        ("replays of a partition", replays),
        ("redelivered readings", redelivered(lines)),
        ("conflicting writes", counted(|counts| counts.conflicts)),
        ("delays", counted(|counts| counts.delayed)),
        ("cut requests", counted(|counts| counts.requests_cut)),
        ("lost answers", counted(|counts| counts.answers_lost)),
        ("cut answers", counted(|counts| counts.answers_cut)),
        ("truncated answers", counted(|counts| counts.answers_truncated)),
    ];
    for (what, times) in happened {
        println!("{times:>6} {what}");
    }
    for (what, times) in happened {
        assert!(times > 0, "{what} never happened");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_handlers_are_killed_for_a_minute_behind_a_broken_network_and_every_count_is_exact() {
    let seed = number("FIELDCAST_CHAOS_SEED").unwrap_or_else(rand::random);
    let (account, lines) = (Account::start(), Arc::new(Mutex::new(Vec::new())));
    let options = || Options {
        trigger: vec![SOON, NEVER_LATE],
        log: Some(LogSink::Collect(Arc::clone(&lines))),
        ..Options::default()
    };
    let proxy = ChaosProxy::start(account.port(), seed).await;
    let stack = Stack::start(&proxy.connection_string(&account), options()).await;
    let second_proxy = ChaosProxy::start(account.port(), seed).await;
    let second = stack.second_owner(&second_proxy.connection_string(&account), options()).await;
    let owners = [
        Owner { host: &stack.host, proxy: &proxy, seed },
        Owner { host: &second.host, proxy: &second_proxy, seed: !seed },
    ];
    let mut sensors = Sensor::fleet(SENSORS, seed);

    let end = Instant::now() + Duration::from_secs(number("FIELDCAST_CHAOS_SECONDS").unwrap_or(SECONDS));
    owners.iter().for_each(Owner::prepare);
    let ((), replays, more_replays) = tokio::join!(
        send_until(end, &mut sensors, &stack, &owners),
        owners[0].kill_until(end),
        owners[1].kill_until(end)
    );
    join_all(owners.iter().map(Owner::drained)).await;

    let (messages, valid, rejected) = totals(&sensors);
    println!("seed {seed}: {messages} messages, {valid} valid and {rejected} rejected readings");
    assert_eq!(u64::from(messages), stack.hub.accepted());
    check_tables(&sensors, &account).await;
    check_faults(&owners, replays + more_replays, &lines.lock().unwrap());
    second.host.stop().await;
    stack.stop().await;
}

async fn stored_count(account: &Account, device: &str) -> Option<i64> {
    let rows = account.all_rows("DeviceState").await;
    rows.iter().find(|row| row.row == device)?.get("Count").and_then(Value::as_i64)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_killed_between_commit_and_answer_counts_once_and_the_screens_are_told() {
    let account = Account::start();
    let proxy = ChaosProxy::start(account.port(), 0).await;
    let options = Options { trigger: vec![SOON], ..Options::default() };
    let stack = Stack::start(&proxy.connection_string(&account), options).await;
    let mut screen = Screen::open(&stack).await;
    stack.send("sensor-1", r#"{"temperature":20}"#).await;
    stack.drained().await;

    proxy.hold_next_answer("RowKey='sensor-1'");
    stack.send("sensor-1", r#"{"temperature":21}"#).await;
    timeout(PATIENCE, proxy.reached(|counts| counts.answers_held == 1)).await.expect("a commit");
    assert_eq!(stored_count(&account, "sensor-1").await, Some(2), "committed, and nobody was told");
    let told = stack.signalr.counts().sends_accepted;
    stack.host.kill_handler();
    stack.host.reached(PATIENCE, |status| status.handler_starts == 2).await.unwrap();
    stack.drained().await;

    assert_eq!(stored_count(&account, "sensor-1").await, Some(2), "redelivered, and counted once");
    let snapshot = stack.snapshot().await;
    assert_eq!(snapshot["devices"][0]["count"], 2);
    assert!(stack.signalr.counts().sends_accepted > told, "the redelivery is announced");
    screen.converges_to(&snapshot).await;
    stack.stop().await;
}
