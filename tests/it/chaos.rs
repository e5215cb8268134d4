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
use self::proxy::ChaosProxy;
use crate::end_to_end::Screen;
use crate::stack::{Account, Options, PATIENCE, SOON, Stack};

/// How long handlers are killed; `FIELDCAST_CHAOS_SECONDS` makes it longer.
const SECONDS: u64 = 60;

/// After the faults end, what is left to do takes seconds; this is for a machine that compiles meanwhile.
const LONG_PATIENCE: Duration = Duration::from_secs(300);

/// The longest pause of the host between two deliveries, so that a batch that failed often is tried again soon.
const NEVER_LATE: (&str, &str) =
    ("\"maximumInterval\": \"00:01:00\"", "\"maximumInterval\": \"00:00:00.500\"");

/// Small enough that the backlog is worked off at the end, large enough that there always is one.
const BACKLOG: u64 = 400;

/// Events per batch: small, so that a minute has many.
const BATCH: usize = 25;

type Lines = Arc<Mutex<Vec<String>>>;

#[expect(clippy::disallowed_methods, reason = "how hard a test tries is no setting of the handler")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a whole number"))
}

/// How many events a host is done with.
fn done(status: &HostStatus) -> u64 {
    status.partitions.iter().map(|partition| partition.position).sum()
}

/// Two hosts, each with its handler, each of which owns every partition.
struct Owners<'a> {
    hosts: [&'a Host; 2],
    /// What the hosts logged: each answer of a handler says how many readings it knew already.
    lines: Lines,
}

impl Owners<'_> {
    fn prepare(&self) {
        for host in self.hosts {
            host.restart_without_limit();
            host.faults().cap_batch_size(Some(BATCH));
        }
    }

    async fn drained(&self) {
        for host in self.hosts {
            if let Err(status) = host.drained(LONG_PATIENCE).await {
                panic!("the hub was not drained: {status:?}; last lines {:#?}", self.last_lines());
            }
        }
    }

    /// Every start but the first follows a kill.
    fn kills(&self) -> u64 {
        self.hosts.iter().map(|host| host.status().handler_starts - 1).sum()
    }

    /// Readings that came again after they had been counted, as far as the answers that arrived say.
    fn redelivered(&self) -> u64 {
        let known = |line: &String| {
            let (before, _) = line.split_once(" known already")?;
            before.rsplit(' ').next()?.parse::<u64>().ok()
        };
        self.lines.lock().unwrap().iter().filter_map(known).sum()
    }

    fn last_lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines[lines.len().saturating_sub(20)..].to_vec()
    }
}

/// The devices go on for as long as a slow handler keeps up with them.
async fn send_until(end: Instant, sensors: &mut [Sensor], stack: &Stack, owners: &Owners<'_>) {
    while Instant::now() < end {
        join_all(sensors.iter_mut().map(|sensor| sensor.send(stack))).await;
        for host in owners.hosts {
            let kept_up = |status: &HostStatus| done(status) + BACKLOG >= stack.hub.accepted();
            // Whether it kept up or the end came, the loop's condition decides.
            drop(timeout_at(end, host.reached(LONG_PATIENCE, kept_up)).await);
        }
    }
}

/// Kills one of the handlers again and again. The moments are counted in requests to storage, so that a handler dies
/// while it has something to lose. Returns how often a partition was read again from an older position.
async fn kill_until(end: Instant, seed: u64, proxy: &ChaosProxy, owners: &Owners<'_>) -> u64 {
    let (mut dice, mut replays) = (StdRng::seed_from_u64(seed), 0);
    loop {
        let moment = proxy.counts().requests + dice.random_range(1..=60);
        if timeout_at(end, proxy.reached(|counts| counts.requests >= moment)).await.is_err() {
            return replays;
        }
        let host = owners.hosts[dice.random_range(0..2)];
        match dice.random_range(0..10) {
            0..6 => host.kill_handler(),
            6..8 => host.faults().kill_during_next_batch(KillMoment::ReplyLost),
            _ => {
                let status = host.status();
                let partition = &status.partitions[dice.random_range(0..status.partitions.len())];
                let older = partition.position.saturating_sub(dice.random_range(1..=100));
                host.faults().redeliver_from(&partition.partition, older);
                replays += 1;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_handlers_are_killed_for_a_minute_behind_a_broken_network_and_every_count_is_exact() {
    let seed = number("FIELDCAST_CHAOS_SEED").unwrap_or_else(rand::random);
    let account = Account::start();
    let proxy = ChaosProxy::start(account.port(), seed).await;
    let lines = Lines::default();
    let options = || Options {
        trigger: vec![SOON, NEVER_LATE],
        log: Some(LogSink::Collect(Arc::clone(&lines))),
        ..Options::default()
    };
    let storage = proxy.connection_string(&account);
    let stack = Stack::start(&storage, options()).await;
    let second = stack.second_owner(&storage, options()).await;
    let owners = Owners { hosts: [&stack.host, &second.host], lines };
    owners.prepare();
    let mut sensors = Sensor::fleet(40, seed);

    let end = Instant::now() + Duration::from_secs(number("FIELDCAST_CHAOS_SECONDS").unwrap_or(SECONDS));
    proxy.go_wild();
    let ((), replays) =
        tokio::join!(send_until(end, &mut sensors, &stack, &owners), kill_until(end, seed, &proxy, &owners));
    proxy.calm_down();
    owners.drained().await;

    let (messages, valid, refused) = totals(&sensors);
    let (counts, kills, redelivered) = (proxy.counts(), owners.kills(), owners.redelivered());
    println!(
        "seed {seed}: {messages} messages with {valid} valid and {refused} refused readings; {kills} kills, \
         {replays} replays, at least {redelivered} readings redelivered; {counts:?}"
    );
    assert_eq!(u64::from(messages), stack.hub.accepted());
    check_tables(&sensors, &account).await;
    let happened = [
        ("a kill", kills),
        ("a replay", replays),
        ("a redelivery", redelivered),
        ("a delay", counts.delayed),
        ("a cut request", counts.requests_cut),
        ("a lost answer", counts.answers_lost),
        ("a cut answer", counts.answers_cut),
        ("a truncated answer", counts.answers_truncated),
    ];
    for (what, times) in happened {
        assert!(times > 0, "{what} never happened");
    }
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

    proxy.hold_next_answer("$batch");
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
