//! Serves a connection over its link: moves frames between the two, and keeps the protocol's periods.

use super::{Heard, Link, NotWritten};
use crate::connection::{Connection, Phase};
use crate::outbox::{Next, Outbox};
use crate::service::Timings;
use crate::wire::Frame;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a closed client may take to say goodbye. A browser answers at once; one that is stuck is not
/// waited for.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves the client until either side ends the connection.
pub(crate) async fn run<L: Link>(mut link: L, mut connection: Connection) {
    let outbox = connection.outbox().clone();
    let mut pulse = Pulse::start(connection.timings(), L::PINGED, Instant::now());
    loop {
        let (due, beat) = pulse.next(connection.phase());
        tokio::select! {
            heard = link.receive() => {
                match heard {
                    Heard::Data(data) => connection.receive(&data),
                    Heard::Sign => {}
                    Heard::Gone => return,
                }
                pulse.heard = Instant::now();
            },
            next = outbox.next() => match next {
                Next::Write(frames) => {
                    if write(&mut link, &frames, &outbox, connection.timings()).await.is_err() {
                        return link.cut();
                    }
                    pulse.written(Instant::now());
                }
                Next::Close => return say_goodbye(link, &outbox).await,
                Next::Cut => return link.cut(),
            },
            () = sleep_until(due) => match beat {
                Beat::HandshakeTimeout => connection.handshake_timed_out(),
                Beat::Silence if link.waits() => pulse.heard = Instant::now(),
                Beat::Silence => connection.was_silent(),
                Beat::Ping => {
                    connection.ping();
                    pulse.sent = Instant::now();
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

async fn say_goodbye(mut link: impl Link, outbox: &Outbox) {
    tokio::select! {
        _in_time = timeout(FAREWELL, link.say_goodbye()) => {}
        () = outbox.until_cut() => link.cut(),
    }
}

/// When something has to happen because nothing else did.
struct Pulse {
    timings: Timings,
    pinged: bool,
    started: Instant,
    heard: Instant,
    sent: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beat {
    HandshakeTimeout,
    Silence,
    Ping,
}

impl Pulse {
    fn start(timings: Timings, pinged: bool, now: Instant) -> Pulse {
        Pulse { timings, pinged, started: now, heard: now, sent: now }
    }

    /// A link without pings is written to only when its client asks.
    fn written(&mut self, now: Instant) {
        self.sent = now;
        if !self.pinged {
            self.heard = now;
        }
    }

    fn next(&self, phase: Phase) -> (Instant, Beat) {
        let silence = (self.heard + self.timings.client_timeout, Beat::Silence);
        let ping = (self.sent + self.timings.ping, Beat::Ping);
        match phase {
            Phase::Handshake => (self.started + self.timings.handshake, Beat::HandshakeTimeout),
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
        let mut pulse = Pulse::start(Timings::default(), true, start);
        assert_eq!(pulse.next(Phase::Handshake), (start + 15 * second, Beat::HandshakeTimeout));
        assert_eq!(pulse.next(Phase::Open), (start + 15 * second, Beat::Ping));
        pulse.sent = start + 14 * second;
        assert_eq!(pulse.next(Phase::Open), (start + 29 * second, Beat::Ping));
        pulse.sent = start + 29 * second;
        assert_eq!(pulse.next(Phase::Open), (start + 30 * second, Beat::Silence));
        pulse.heard = start + 20 * second;
        assert_eq!(pulse.next(Phase::Open), (start + 44 * second, Beat::Ping));
    }

    #[test]
    fn a_client_that_asks_is_not_pinged_and_shows_itself_by_taking() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut pulse = Pulse::start(Timings::default(), false, start);
        assert_eq!(pulse.next(Phase::Open), (start + 30 * second, Beat::Silence));
        pulse.written(start + 10 * second);
        assert_eq!(pulse.next(Phase::Open), (start + 40 * second, Beat::Silence));
    }
}
