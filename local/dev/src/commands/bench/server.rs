//! A loopback listener that serves each connection in a task of its own, and ends when it is dropped.

use std::{future::Future, io, net::Ipv4Addr, sync::Arc};

use anyhow::{Context, Result};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use super::http1::HttpConnection;

/// A listener. Dropping it ends it and its connections.
pub(super) struct Server {
    pub(super) port: u16,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Calls `serve` for each connection. Errors are ignored: a client may close its connection at any time.
    pub(super) async fn start<S, F>(serve: S) -> Result<Server>
    where
        S: Fn(HttpConnection) -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port is free")?;
        let port = listener.local_addr().context("no port is free")?.port();
        Ok(Server { port, accepting: tokio::spawn(accept(listener, Arc::new(serve))) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept<S, F>(listener: TcpListener, serve: Arc<S>)
where
    S: Fn(HttpConnection) -> F + Send + Sync + 'static,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        if let Ok(connection) = HttpConnection::new(socket) {
            connections.spawn(serve(connection));
        }
        while connections.try_join_next().is_some() {}
    }
}
