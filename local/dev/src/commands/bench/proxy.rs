//! Stands before Azurite: counts the requests and delays each reply, as a network would. Bytes pass unchanged, whole
//! message by whole message: to pass them on while they arrive made no difference that could be measured. Each
//! connection of a client has one of its own to Azurite, so keep-alive and concurrency are those of the client.

use std::{
    io,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Result;
use tokio::net::TcpStream;

use super::{delay::Delay, http1::Connection, server::Server};

pub(super) struct Proxy {
    server: Server,
    requests: Arc<AtomicU64>,
}

impl Proxy {
    pub(super) async fn start(upstream: u16, delay: Delay) -> Result<Proxy> {
        let requests = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&requests);
        let server =
            Server::start(move |client| pass(client, upstream, delay.clone(), Arc::clone(&counted))).await?;
        Ok(Proxy { server, requests })
    }

    pub(super) fn port(&self) -> u16 {
        self.server.port
    }

    /// Requests so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn pass(
    mut client: Connection,
    upstream: u16,
    delay: Delay,
    requests: Arc<AtomicU64>,
) -> io::Result<()> {
    let mut upstream = Connection::new(TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).await?)?;
    loop {
        let request = tokio::select! {
            request = client.next() => request?,
            // Azurite closes what is idle for 5 s; the client must learn of it before it sends again.
            _ = upstream.next() => None,
        };
        let Some(request) = request else { return Ok(()) };
        requests.fetch_add(1, Ordering::Relaxed);
        upstream.send(request.bytes()).await?;
        let Some(reply) = upstream.next().await? else { return Ok(()) };
        delay.wait().await;
        client.send(reply.bytes()).await?;
    }
}

#[cfg(test)]
mod tests;
