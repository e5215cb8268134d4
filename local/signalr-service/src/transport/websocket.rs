//! The WebSocket transport: pumps frames between a socket and a connection, and keeps the protocol's periods.

use crate::connection::{Connection, Phase};
use crate::outbox::{Next, Outbox};
use crate::service::Timings;
use crate::wire::Frame;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::SinkExt;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a closed client may take to say goodbye. A browser answers at once; one that is stuck is not
/// waited for.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves the client until either side ends the connection.
pub(crate) async fn serve(mut socket: WebSocket, mut connection: Connection) {
    let outbox = connection.outbox().clone();
    let mut pulse = Pulse::start(connection.timings(), Instant::now());
    loop {
        let (due, beat) = pulse.next(connection.phase());
        tokio::select! {
            received = socket.recv() => match received {
                Some(Ok(message)) => {
                    pulse.heard = Instant::now();
                    hand_over(message, &mut connection);
                }
                Some(Err(_)) | None => return,
            },
            next = outbox.next() => match next {
                Next::Write(frames) => {
                    if write(&mut socket, &frames, &outbox, connection.timings()).await.is_err() {
                        return;
                    }
                    pulse.sent = Instant::now();
                }
                Next::Close => return say_goodbye(&mut socket).await,
                Next::Cut => return,
            },
            () = sleep_until(due) => match beat {
                Beat::HandshakeTimeout => connection.handshake_timed_out(),
                Beat::Silence => connection.was_silent(),
                Beat::Ping => {
                    connection.ping();
                    pulse.sent = Instant::now();
                }
            },
        }
    }
}

fn hand_over(message: Message, connection: &mut Connection) {
    match message {
        Message::Text(text) => connection.receive(text.as_bytes()),
        Message::Binary(bytes) => connection.receive(&bytes),
        // The socket answers pings and closes by itself; after a close the next read ends the connection.
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
    }
}

/// The client is gone, was cut, or takes nothing.
struct NotWritten;

async fn write(
    socket: &mut WebSocket,
    frames: &[Frame],
    outbox: &Outbox,
    timings: Timings,
) -> Result<(), NotWritten> {
    let all = async {
        for frame in frames {
            socket.feed(Message::text(frame.text())).await?;
        }
        socket.flush().await
    };
    tokio::select! {
        written = timeout(timings.client_timeout, all) => match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NotWritten),
        },
        () = outbox.until_cut() => Err(NotWritten),
    }
}

/// Closes with 1000 and waits for the client's answer: dropping the socket with unread data in it would
/// reset the connection and could take the close frame with it.
async fn say_goodbye(socket: &mut WebSocket) {
    let close = CloseFrame { code: close_code::NORMAL, reason: "".into() };
    let goodbye = async {
        if socket.send(Message::Close(Some(close))).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    let _answered = timeout(FAREWELL, goodbye).await;
}

/// When something has to happen because nothing else did.
struct Pulse {
    timings: Timings,
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
    fn start(timings: Timings, now: Instant) -> Pulse {
        Pulse { timings, started: now, heard: now, sent: now }
    }

    fn next(&self, phase: Phase) -> (Instant, Beat) {
        let silence = (self.heard + self.timings.client_timeout, Beat::Silence);
        let ping = (self.sent + self.timings.ping, Beat::Ping);
        match phase {
            Phase::Handshake => (self.started + self.timings.handshake, Beat::HandshakeTimeout),
            Phase::Open if ping.0 < silence.0 => ping,
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
        let mut pulse = Pulse::start(Timings::default(), start);
        assert_eq!(pulse.next(Phase::Handshake), (start + 15 * second, Beat::HandshakeTimeout));
        assert_eq!(pulse.next(Phase::Open), (start + 15 * second, Beat::Ping));
        pulse.sent = start + 14 * second;
        assert_eq!(pulse.next(Phase::Open), (start + 29 * second, Beat::Ping));
        pulse.sent = start + 29 * second;
        assert_eq!(pulse.next(Phase::Open), (start + 30 * second, Beat::Silence));
        pulse.heard = start + 20 * second;
        assert_eq!(pulse.next(Phase::Open), (start + 44 * second, Beat::Ping));
    }
}
