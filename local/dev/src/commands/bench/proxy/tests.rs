//! The proxy between clients and a service of the test's own.

use std::time::Duration;

use anyhow::Context;
use tokio::{
    task::{JoinSet, yield_now},
    time::timeout,
};

use super::*;

const REQUEST: &[u8] = b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi";
const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";

const HOUR: Duration = Duration::from_secs(60 * 60);
/// Time for what happens at once, unless it fails.
const DEADLINE: Duration = Duration::from_secs(20);

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

async fn connect(proxy: &Proxy) -> Result<HttpConnection> {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await?;
    Ok(HttpConnection::new(socket)?)
}

async fn ask(client: &mut HttpConnection) -> Result<()> {
    client.send(REQUEST).await?;
    let reply = client.next().await?.context("the proxy closed the connection")?;
    assert_eq!(reply.bytes(), REPLY);
    Ok(())
}

#[tokio::test]
async fn each_request_on_a_kept_connection_is_counted_and_answered() -> Result<()> {
    let service = service().await?;
    let proxy = Proxy::start(service.port, Delay::new(Duration::ZERO)?).await?;
    let mut client = connect(&proxy).await?;
    for _ in 0..3 {
        timeout(DEADLINE, ask(&mut client)).await??;
    }
    assert_eq!(proxy.requests(), 3);
    Ok(())
}

#[tokio::test]
async fn replies_are_held_back_and_on_several_connections_at_the_same_time() -> Result<()> {
    let service = service().await?;
    let delay = Delay::new(HOUR)?;
    let proxy = Proxy::start(service.port, delay.clone()).await?;
    let mut held = JoinSet::new();
    for _ in 0..50 {
        let mut client = connect(&proxy).await?;
        held.spawn(async move { ask(&mut client).await });
    }
    let all_asked = async {
        while proxy.requests() < 50 {
            yield_now().await;
        }
    };
    timeout(DEADLINE, all_asked).await?;

    // While other requests are answered, each of the fifty would have had its reply.
    let open = Proxy::start(service.port, Delay::new(Duration::ZERO)?).await?;
    let mut passing = connect(&open).await?;
    for _ in 0..200 {
        timeout(DEADLINE, ask(&mut passing)).await??;
    }
    assert!(held.try_join_next().is_none(), "a reply came before the delay had passed");

    delay.set(Duration::ZERO);
    while let Some(answered) = timeout(DEADLINE, held.join_next()).await? {
        answered??;
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_that_the_service_closes_is_closed_for_the_client() -> Result<()> {
    let service = Server::start(|_| async { Ok(()) }).await?;
    let proxy = Proxy::start(service.port, Delay::new(Duration::ZERO)?).await?;
    let mut client = connect(&proxy).await?;
    assert!(timeout(DEADLINE, client.next()).await??.is_none());
    Ok(())
}
