//! Measures what readers do to writers: how long a batch takes while a crowd of clients loads snapshots of all devices,
//! and the most memory that the handler takes for it.

use std::{
    net::Ipv4Addr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::sleep,
};

use super::super::{
    backend::Backend,
    cell::{BenchPlan, Environment, USUAL},
    handler::{Handler, Settings},
    host_json::largest_batch,
    scratch::Scratch,
    statistics::{Milliseconds, milliseconds, quantile},
    system::{Candidate, System},
    workload::Shape,
};
use crate::workspace::Workspace;

/// Clients that load snapshots all the time.
const CLIENTS: u16 = 200;
const PATIENCE: Duration = Duration::from_secs(60);
/// Snapshots that have to arrive before batches are measured: everybody has begun by then.
const UNDER_WAY: u64 = 4;

#[derive(Clone, Copy, Debug, Serialize)]
pub(in super::super) struct Crowd {
    pub(in super::super) devices: u32,
    pub(in super::super) clients: u16,
    pub(in super::super) batches: usize,
    /// Events of a batch.
    pub(in super::super) events: u32,
    pub(in super::super) alone_p99_ms: Milliseconds,
    pub(in super::super) p50_ms: Milliseconds,
    pub(in super::super) p99_ms: Milliseconds,
    /// Whole snapshots that clients got meanwhile, and calls that were told to come again.
    pub(in super::super) snapshots: u64,
    pub(in super::super) refused: u64,
    pub(in super::super) peak_bytes: u64,
}

pub(super) async fn measure(program: &Path, plan: &BenchPlan, workspace: &Workspace) -> Result<Crowd> {
    let signalr = Backend::start(Environment::Stub, plan.known).await?;
    let folder = Scratch::make("crowd")?;
    let storage = format!("Embedded={}", folder.path().display());
    let settings = Settings { storage, signalr: signalr.settings().signalr };
    let candidate =
        Candidate { system: System::Fieldcast, program: program.to_path_buf(), arguments: Vec::new() };
    let mut handler = Handler::start(&candidate, &settings).await?;
    for batch in plan.known.slices(0, largest_batch(workspace)?) {
        handler.post(&batch, PATIENCE).await?;
    }
    let devices = plan.known.devices;
    let some = Shape { events: USUAL.events.min(devices), devices: USUAL.devices.min(devices) };
    // Continues the sequence numbers of the first round.
    let mut next = plan.known.events / some.events + 1;
    let alone = batches(&mut handler, some, &mut next, plan.crowded_batches).await?;
    let tally = Arc::new(Tally::default());
    let clients = gather(handler.port(), &tally);
    while tally.snapshots.load(Ordering::Relaxed) < UNDER_WAY {
        ensure!(!clients.is_empty(), "no client gets a snapshot");
        sleep(Duration::from_millis(10)).await;
    }
    let crowded = batches(&mut handler, some, &mut next, plan.crowded_batches).await?;
    drop(clients);
    let peak_bytes = handler.peak()?;
    handler.stop().await?;
    let at = |times: &[Milliseconds], share| quantile(times, share).context("no batch was posted");
    Ok(Crowd {
        devices,
        clients: CLIENTS,
        batches: crowded.len(),
        events: some.events,
        alone_p99_ms: at(&alone, 0.99)?,
        p50_ms: at(&crowded, 0.5)?,
        p99_ms: at(&crowded, 0.99)?,
        snapshots: tally.snapshots.load(Ordering::Relaxed),
        refused: tally.refused.load(Ordering::Relaxed),
        peak_bytes,
    })
}

/// Posts batches one after the other; the times in order.
async fn batches(
    handler: &mut Handler,
    shape: Shape,
    next: &mut u32,
    count: usize,
) -> Result<Vec<Milliseconds>> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        times.push(milliseconds(handler.post(&shape.batch(*next), PATIENCE).await?));
        *next += 1;
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

#[derive(Default)]
struct Tally {
    snapshots: AtomicU64,
    refused: AtomicU64,
}

/// Clients that load one snapshot after the other until the set is dropped.
fn gather(port: u16, tally: &Arc<Tally>) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let tally = Arc::clone(tally);
        clients.spawn(async move {
            // Browsers take gzip; scripts often do not.
            let encoding = if number % 2 == 0 { "Accept-Encoding: gzip\r\n" } else { "" };
            loop {
                match load(port, encoding).await {
                    Ok(200) => drop(tally.snapshots.fetch_add(1, Ordering::Relaxed)),
                    _ => {
                        tally.refused.fetch_add(1, Ordering::Relaxed);
                        sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        });
    }
    clients
}

/// Loads a snapshot and forgets it at once, so that the crowd's own memory and time are small; the status.
async fn load(port: u16, encoding: &str) -> Result<u16> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request =
        format!("GET /api/getdevicestate HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{encoding}\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut buffer = vec![0; 64 * 1024];
    let mut status = None;
    loop {
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            return status.context("the handler said nothing");
        }
        if status.is_none() {
            let word = buffer.get(9..12).and_then(|word| str::from_utf8(word).ok());
            status = word.and_then(|word| word.parse().ok());
        }
    }
}
