//! Canned services: a table service and a SignalR service that answer any request at once with a plausible reply, so
//! that only the handler is measured. They know the devices of one batch shape and store nothing: every device has a
//! row as the predecessor writes it, and every write succeeds with a new etag.

mod reply;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Result;

use self::reply::{Etags, Pages};
use super::{
    delay::Delay,
    http1::{HttpConnection, Message},
    server::Server,
};

/// The requests to a service so far.
#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    writes: AtomicU64,
}

/// A table service that holds the rows of the given devices.
pub(super) struct Tables {
    server: Server,
    counts: Arc<Counts>,
}

impl Tables {
    pub(super) async fn start(partition: &str, devices: &[String], delay: Delay) -> Result<Tables> {
        let counts = Arc::new(Counts::default());
        let state = Arc::new(StubState {
            pages: Pages::of(partition, devices),
            etags: Etags::default(),
            counts: Arc::clone(&counts),
        });
        let server =
            Server::start(move |client| serve_tables(client, Arc::clone(&state), delay.clone())).await?;
        Ok(Tables { server, counts })
    }

    pub(super) fn port(&self) -> u16 {
        self.server.port
    }

    pub(super) fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::Relaxed)
    }

    /// Entities written so far; a transaction of a hundred counts a hundred.
    pub(super) fn writes(&self) -> u64 {
        self.counts.writes.load(Ordering::Relaxed)
    }
}

/// A SignalR service without clients.
pub(super) struct SignalR {
    server: Server,
    counts: Arc<Counts>,
}

impl SignalR {
    pub(super) async fn start(delay: Delay) -> Result<SignalR> {
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let server =
            Server::start(move |client| serve_signalr(client, Arc::clone(&counted), delay.clone())).await?;
        Ok(SignalR { server, counts })
    }

    pub(super) fn port(&self) -> u16 {
        self.server.port
    }

    pub(super) fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::Relaxed)
    }
}

struct StubState {
    pages: Pages,
    etags: Etags,
    counts: Arc<Counts>,
}

async fn serve_tables(mut client: HttpConnection, state: Arc<StubState>, delay: Delay) -> io::Result<()> {
    while let Some(request) = client.next().await? {
        state.counts.requests.fetch_add(1, Ordering::Relaxed);
        let answer = state.answer(&request);
        delay.wait().await;
        client.send(&answer).await?;
    }
    Ok(())
}

async fn serve_signalr(mut client: HttpConnection, counts: Arc<Counts>, delay: Delay) -> io::Result<()> {
    while client.next().await?.is_some() {
        counts.requests.fetch_add(1, Ordering::Relaxed);
        delay.wait().await;
        client.send(reply::ACCEPTED).await?;
    }
    Ok(())
}

impl StubState {
    fn answer(&self, request: &Message) -> Vec<u8> {
        let Some((method, target)) = request.request() else { return reply::bad_request() };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let resource = path.rsplit('/').next().unwrap_or_default();
        let table = resource.split('(').next().unwrap_or_default();
        match (method, table) {
            ("POST", "$batch") => {
                let operations = operations(request.body());
                self.written(operations);
                reply::transaction(operations, &self.etags)
            }
            ("POST", "Tables") => reply::table_exists(),
            ("GET", "DeviceState") => self.pages.read(resource, query),
            ("GET", _) if resource.contains("RowKey") => reply::not_found(),
            ("GET", _) => reply::no_rows(),
            _ => {
                self.written(1);
                reply::written(&self.etags)
            }
        }
    }

    fn written(&self, entities: u64) {
        self.counts.writes.fetch_add(entities, Ordering::Relaxed);
    }
}

/// Each operation has one request line, and line breaks are escaped in JSON.
fn operations(body: &[u8]) -> u64 {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| line.ends_with(b" HTTP/1.1\r"));
    lines.map(|_| 1).sum()
}

#[cfg(test)]
mod tests;
