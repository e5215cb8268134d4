//! The periods of the client protocol, and the clock by which they are measured.

use std::time::{Duration, Instant};

/// Periods of the client protocol. The defaults are those of the service and of ASP.NET Core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// A client is pinged when nothing was sent to it for this long. 15 s.
    pub ping: Duration,
    /// A client that sent nothing for this long is closed, and so is one that reads nothing for this long. 30 s.
    pub client_timeout: Duration,
    /// Time for the hub handshake once the transport is connected. 15 s.
    pub handshake: Duration,
    /// Time from negotiation to connection. 15 s; the service is reported to allow 5 s, too little for a
    /// page that is paused in a debugger.
    pub connect: Duration,
    /// How long a call by `:invoke` waits for the client's answer. 30 s; the service's is not documented.
    pub client_result: Duration,
    /// How long a client's call waits for the upstream's reply. 100 s, as .NET's HTTP client; the service's is not
    /// documented.
    pub upstream: Duration,
    /// How long a long poll waits for a message, unless the client's token sets another time. 5 s.
    pub poll: Duration,
}

impl Default for Timings {
    fn default() -> Timings {
        Timings {
            ping: Duration::from_secs(15),
            client_timeout: Duration::from_secs(30),
            handshake: Duration::from_secs(15),
            connect: Duration::from_secs(15),
            client_result: Duration::from_secs(30),
            upstream: Duration::from_secs(100),
            poll: Duration::from_secs(5),
        }
    }
}

/// The time of tokio's clock, which tests can pause.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
