//! Connections of the handler's server: how long one may take over the head of a request, and how long it may be idle.
//!
//! The host keeps connections and uses them again. One that ends just when the host posts a batch to it costs that batch
//! a delivery, so an idle connection is kept far longer than the host keeps it; only one on which half a request has
//! arrived ends soon. hyper's own limit cannot tell the two apart: it counts from the end of the last request.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Extension, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// The head of a request takes milliseconds. (A body has its own limit, see `collect`.)
const SLOWEST_HEAD: Duration = Duration::from_secs(30);

/// .NET, and with it the host, gives up connections that were idle for a minute or two.
const LONGEST_IDLE: Duration = Duration::from_secs(10 * 60);

/// Serves over any kind of connections, none of which is held for a request that does not come.
pub(crate) async fn serve<L: Listener<Addr: Debug>>(listener: L, router: Router) -> io::Result<()> {
    let service = router.layer(from_fn(in_use)).into_make_service_with_connect_info::<InWork>();
    axum::serve(Connections(listener), service).await
}

/// A listener whose connections end when they hold a place for nothing.
struct Connections<L>(L);

impl<L: Listener> Listener for Connections<L> {
    type Io = Connection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (io, address) = self.0.accept().await;
        (Connection::new(io), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// The requests of a connection.
#[derive(Clone, Debug, Default)]
struct InWork(Arc<Requests>);

#[derive(Debug, Default)]
struct Requests {
    /// Those that are being answered.
    open: AtomicUsize,
    /// All that ever arrived.
    begun: AtomicUsize,
}

/// One of them.
struct Answering(InWork);

impl InWork {
    fn begin(&self) -> Answering {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Answering(self.clone())
    }

    fn is_any(&self) -> bool {
        self.0.open.load(Ordering::Relaxed) > 0
    }

    fn begun(&self) -> usize {
        self.0.begun.load(Ordering::Relaxed)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<L: Listener> Connected<IncomingStream<'_, Connections<L>>> for InWork {
    fn connect_info(stream: IncomingStream<'_, Connections<L>>) -> InWork {
        stream.io().in_work.clone()
    }
}

/// Middleware: while a request is answered, its connection is in use, however long that takes.
async fn in_use(
    Extension(ConnectInfo(in_work)): Extension<ConnectInfo<InWork>>,
    request: Request,
    next: Next,
) -> Response {
    let _answering = in_work.begin();
    next.run(request).await
}

/// A connection.
struct Connection<Io> {
    io: Io,
    in_work: InWork,
    /// The requests that had arrived when it last began to wait.
    begun: usize,
    waits: Waits,
    /// When it began to wait so.
    since: Instant,
    alarm: Pin<Box<Sleep>>,
}

/// What a connection waits for when nothing of it is being answered.
#[derive(Clone, Copy, PartialEq)]
enum Waits {
    /// The next request.
    Idle,
    /// The rest of one.
    HalfSent,
}

impl<Io> Connection<Io> {
    fn new(io: Io) -> Connection<Io> {
        let since = Instant::now();
        let alarm = Box::pin(sleep_until(since + LONGEST_IDLE));
        Connection { io, in_work: InWork::default(), begun: 0, waits: Waits::Idle, since, alarm }
    }

    fn wait(&mut self, waits: Waits) {
        (self.waits, self.since, self.begun) = (waits, Instant::now(), self.in_work.begun());
    }

    fn received(&mut self) {
        if self.waits == Waits::Idle && !self.in_work.is_any() {
            self.wait(Waits::HalfSent);
        }
    }

    /// An error when it has waited long enough; wakes the task when that is so.
    fn end_if_overdue(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.in_work.is_any() || self.begun != self.in_work.begun() {
            self.wait(Waits::Idle);
        }
        let end = match self.waits {
            Waits::Idle => self.since + LONGEST_IDLE,
            Waits::HalfSent => self.since + SLOWEST_HEAD,
        };
        if self.alarm.deadline() != end {
            self.alarm.as_mut().reset(end);
        }
        match self.alarm.as_mut().poll(context) {
            Poll::Ready(()) if !self.in_work.is_any() => Poll::Ready(io::ErrorKind::TimedOut.into()),
            _ => Poll::Pending,
        }
    }

    /// What was sent is a sign of life: an answer, whose request has arrived then.
    fn sent(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.end_if_overdue(context).map(Err),
            Poll::Ready(result) => {
                self.wait(Waits::Idle);
                Poll::Ready(result)
            }
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Connection<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.io).poll_read(context, buffer) {
            Poll::Pending => self.end_if_overdue(context).map(Err),
            Poll::Ready(result) => {
                if buffer.filled().len() > before {
                    self.received();
                }
                Poll::Ready(result)
            }
        }
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Connection<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.sent(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.sent(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
