//! The TCP boundary: sockets that can be cut from outside, so that a caller sees a connection lost instead of
//! an answer, and so that a stop ends every connection at once.

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
        // Without it small pushes wait for the peer's acknowledgements; a socket that refuses is still usable.
        let _ = stream.set_nodelay(true);
        (Socket::new(stream, self.stopping.clone()), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Cuts the connection a request came on.
#[derive(Clone, Default)]
pub(crate) struct Scissors(Arc<Notify>);

impl Scissors {
    /// From now on the socket neither takes nor gives a byte, and its owner drops it.
    pub(crate) fn cut(&self) {
        self.0.notify_one();
    }
}

impl Connected<IncomingStream<'_, Listener>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Scissors {
        stream.io().scissors.clone()
    }
}

/// A TCP stream that fails once it is cut or the service stops.
pub(crate) struct Socket {
    stream: TcpStream,
    scissors: Scissors,
    severed: Severed,
}

enum Severed {
    NotYet(Pin<Box<dyn Future<Output = ()> + Send>>),
    Yes,
}

impl Socket {
    fn new(stream: TcpStream, mut stopping: watch::Receiver<bool>) -> Socket {
        let scissors = Scissors::default();
        let cut = scissors.0.clone();
        let severed = async move {
            tokio::select! {
                () = cut.notified() => {}
                _ = stopping.wait_for(|stop| *stop) => {}
            }
        };
        Socket { stream, scissors, severed: Severed::NotYet(Box::pin(severed)) }
    }

    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Severed::NotYet(severed) = &mut self.severed
            && severed.as_mut().poll(context).is_pending()
        {
            return Ok(());
        }
        self.severed = Severed::Yes;
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
