//! The TCP boundary: sockets that can be aborted from elsewhere, so that a caller loses its connection instead of
//! getting a response, and so that a stop ends every connection at once.

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

pub(crate) struct Listener {
    tcp: TcpListener,
    stopping: watch::Receiver<bool>,
}

impl Listener {
    pub(crate) fn new(tcp: TcpListener, stopping: watch::Receiver<bool>) -> Listener {
        Listener { tcp, stopping }
    }
}

impl axum::serve::Listener for Listener {
    type Io = Socket;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Socket, SocketAddr) {
        let (stream, address) = axum::serve::Listener::accept(&mut self.tcp).await;
        // Without it small messages wait for the peer's acknowledgements. A socket where this fails is still usable.
        let _ = stream.set_nodelay(true);
        (Socket::new(stream, self.stopping.clone()), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Aborts the connection that carries a request.
#[derive(Clone, Default)]
pub(crate) struct ConnectionAborter(Arc<Notify>);

impl ConnectionAborter {
    /// From now on every read and write of the socket fails, so that its owner drops it.
    pub(crate) fn abort(&self) {
        self.0.notify_one();
    }
}

impl Connected<IncomingStream<'_, Listener>> for ConnectionAborter {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> ConnectionAborter {
        stream.io().aborter.clone()
    }
}

/// A TCP stream that fails after it was aborted or the service stopped.
pub(crate) struct Socket {
    stream: TcpStream,
    aborter: ConnectionAborter,
    aborted: Aborted,
}

enum Aborted {
    NotYet(Pin<Box<dyn Future<Output = ()> + Send>>),
    Yes,
}

impl Socket {
    fn new(stream: TcpStream, mut stopping: watch::Receiver<bool>) -> Socket {
        let aborter = ConnectionAborter::default();
        let abort = aborter.0.clone();
        let aborted = async move {
            tokio::select! {
                () = abort.notified() => {}
                _ = stopping.wait_for(|stop| *stop) => {}
            }
        };
        Socket { stream, aborter, aborted: Aborted::NotYet(Box::pin(aborted)) }
    }

    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Aborted::NotYet(aborted) = &mut self.aborted
            && aborted.as_mut().poll(context).is_pending()
        {
            return Ok(());
        }
        self.aborted = Aborted::Yes;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
