//! A proxy in front of Azurite: counts the requests and delays each reply, as a network would. It passes whole
//! messages on unchanged; passing on bytes as they arrive made no measurable difference. Each connection of a client
//! has its own connection to Azurite, so keep-alive and concurrency are those of the client.

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

use super::{delay::Delay, http1::HttpConnection, server::Server};

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
    mut client: HttpConnection,
    upstream: u16,
    delay: Delay,
    requests: Arc<AtomicU64>,
) -> io::Result<()> {
    let mut upstream = HttpConnection::new(TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).await?)?;
    loop {
        let request = tokio::select! {
            request = client.next() => request?,
            // Azurite closes connections that are idle for 5 s. The client must see that before it sends again.
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
