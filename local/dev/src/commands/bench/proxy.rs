//! Stands before Azurite: counts the requests and delays each reply, as a network would. Bytes pass unchanged, and
//! each connection of a client has one of its own to Azurite, so keep-alive and concurrency are those of the client.

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
mod tests {
    use std::time::{Duration, Instant};

    use anyhow::Context;

    use super::*;

    const REQUEST: &[u8] = b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi";
    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";

    /// Answers each request with `REPLY`, on as many connections as come.
    async fn service() -> Result<Server> {
        Server::start(|mut connection| async move {
            while let Some(request) = connection.next().await? {
                assert_eq!(request.bytes(), REQUEST);
                connection.send(REPLY).await?;
            }
            Ok(())
        })
        .await
    }

    async fn connect(proxy: &Proxy) -> Result<Connection> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await?;
        Ok(Connection::new(socket)?)
    }

    async fn ask(client: &mut Connection) -> Result<()> {
        client.send(REQUEST).await?;
        let reply = client.next().await?.context("the proxy closed the connection")?;
        assert_eq!(reply.bytes(), REPLY);
        Ok(())
    }

    #[tokio::test]
    async fn each_request_is_counted_and_each_reply_delayed_on_a_kept_connection() -> Result<()> {
        const TIME: Duration = Duration::from_millis(20);
        let service = service().await?;
        let proxy = Proxy::start(service.port, Delay::new(TIME)?).await?;
        let mut client = connect(&proxy).await?;
        let began = Instant::now();
        for _ in 0..3 {
            ask(&mut client).await?;
        }
        assert!(began.elapsed() >= TIME * 3, "{:?}", began.elapsed());
        assert_eq!(proxy.requests(), 3);
        Ok(())
    }

    /// Waiting in turn, fifty would take ten seconds.
    #[tokio::test]
    async fn replies_on_several_connections_wait_at_the_same_time() -> Result<()> {
        const TIME: Duration = Duration::from_millis(200);
        let service = service().await?;
        let proxy = Proxy::start(service.port, Delay::new(TIME)?).await?;
        let began = Instant::now();
        let mut clients = Vec::new();
        for _ in 0..50 {
            clients.push(connect(&proxy).await?);
        }
        let asked = clients.iter_mut().map(ask);
        futures_util::future::try_join_all(asked).await?;
        assert!(began.elapsed() < TIME * 50);
        assert_eq!(proxy.requests(), 50);
        Ok(())
    }

    #[tokio::test]
    async fn a_connection_that_the_service_closes_is_closed_for_the_client() -> Result<()> {
        let service = Server::start(|_| async { Ok(()) }).await?;
        let proxy = Proxy::start(service.port, Delay::new(Duration::ZERO)?).await?;
        assert!(connect(&proxy).await?.next().await?.is_none());
        Ok(())
    }
}
