//! Serves a connection over its link: moves frames between the two, and keeps the periods of the protocol.

use super::{Link, NotWritten, Received};
use crate::connection::{Connection, Phase};
use crate::outbox::{Outbox, OutboxStep};
use crate::timings::Timings;
use crate::wire::Frame;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// How long closing a transport may take. A browser answers at once, and a client that is stuck is dropped.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Serves the client until either side ends the connection.
pub(crate) async fn run<L: Link>(mut link: L, mut connection: Connection) {
    let outbox = connection.outbox().clone();
    let mut heartbeat = Heartbeat::start(connection.timings(), L::PINGED, Instant::now());
    loop {
        let (due, due_for) = heartbeat.next(connection.phase());
        tokio::select! {
            received = link.receive() => {
                match received {
                    Received::Data(data) => connection.receive(&data),
                    Received::SignOfLife => {}
                    Received::Gone => return,
                }
                heartbeat.received = Instant::now();
            },
            next = outbox.next() => match next {
                OutboxStep::Write(frames) => {
                    if write(&mut link, &frames, &outbox, connection.timings()).await.is_err() {
                        return link.cut();
                    }
                    heartbeat.written(Instant::now());
                }
                OutboxStep::Close => return close(link, &outbox).await,
                OutboxStep::Cut => return link.cut(),
            },
            () = sleep_until(due) => match due_for {
                Due::HandshakeTimeout => connection.handshake_timed_out(),
                Due::Silence if link.waits() => heartbeat.received = Instant::now(),
                Due::Silence => connection.was_silent(),
                Due::Ping => {
                    connection.ping();
                    heartbeat.sent = Instant::now();
                }
            },
        }
    }
}

async fn write(
    link: &mut impl Link,
    frames: &[Frame],
    outbox: &Outbox,
    timings: Timings,
) -> Result<(), NotWritten> {
    tokio::select! {
        written = timeout(timings.client_timeout, link.write(frames)) => written.unwrap_or(Err(NotWritten)),
        () = outbox.until_cut() => Err(NotWritten),
    }
}

async fn close(mut link: impl Link, outbox: &Outbox) {
    tokio::select! {
        _in_time = timeout(CLOSE_LIMIT, link.close()) => {}
        () = outbox.until_cut() => link.cut(),
    }
}

/// The next time limit of a connection that is idle.
struct Heartbeat {
    timings: Timings,
    pinged: bool,
    started: Instant,
    received: Instant,
    sent: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    HandshakeTimeout,
    Silence,
    Ping,
}

impl Heartbeat {
    fn start(timings: Timings, pinged: bool, now: Instant) -> Heartbeat {
        Heartbeat { timings, pinged, started: now, received: now, sent: now }
    }

    /// A link without pings is written to only when its client polls, so that a write shows that the client is
    /// connected.
    fn written(&mut self, now: Instant) {
        self.sent = now;
        if !self.pinged {
            self.received = now;
        }
    }

    fn next(&self, phase: Phase) -> (Instant, Due) {
        let silence = (self.received + self.timings.client_timeout, Due::Silence);
        let ping = (self.sent + self.timings.ping, Due::Ping);
        match phase {
            Phase::Handshake => (self.started + self.timings.handshake, Due::HandshakeTimeout),
            Phase::Open if self.pinged && ping.0 < silence.0 => ping,
            Phase::Open | Phase::Over => silence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_fill_silence_and_silence_ends_the_connection() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut heartbeat = Heartbeat::start(Timings::default(), true, start);
        assert_eq!(heartbeat.next(Phase::Handshake), (start + 15 * second, Due::HandshakeTimeout));
        assert_eq!(heartbeat.next(Phase::Open), (start + 15 * second, Due::Ping));
        heartbeat.sent = start + 14 * second;
        assert_eq!(heartbeat.next(Phase::Open), (start + 29 * second, Due::Ping));
        heartbeat.sent = start + 29 * second;
        assert_eq!(heartbeat.next(Phase::Open), (start + 30 * second, Due::Silence));
        heartbeat.received = start + 20 * second;
        assert_eq!(heartbeat.next(Phase::Open), (start + 44 * second, Due::Ping));
    }

    #[test]
    fn a_client_that_asks_is_not_pinged_and_shows_itself_by_taking() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut heartbeat = Heartbeat::start(Timings::default(), false, start);
        assert_eq!(heartbeat.next(Phase::Open), (start + 30 * second, Due::Silence));
        heartbeat.written(start + 10 * second);
        assert_eq!(heartbeat.next(Phase::Open), (start + 40 * second, Due::Silence));
    }
}
