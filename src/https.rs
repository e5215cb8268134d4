//! The one HTTP client of the process: one connection pool for storage and SignalR, with root certificates and name
//! resolution built in, because the deployed binary is static and must not depend on files of the machine it meets.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;

/// How long an unused connection is kept. The local emulators close after 5 s, Azure after minutes; a connection that
/// the other side has just closed costs a retry, one that we closed costs a handshake.
const IDLE_LOCAL: Duration = Duration::from_secs(4);
const IDLE_CLOUD: Duration = Duration::from_secs(90);

/// What the client mostly talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peers {
    /// Emulators on this machine.
    Local,
    /// Azure.
    Cloud,
}

/// Builds the client. Deadlines are per call; only connecting has a limit of its own, so that a request that never left
/// is told from one whose answer was lost.
pub fn client(peers: Peers) -> Result<reqwest::Client, reqwest::Error> {
    let roots: rustls::RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_secs(2))
        .pool_idle_timeout(match peers {
            Peers::Local => IDLE_LOCAL,
            Peers::Cloud => IDLE_CLOUD,
        })
        .build()
}
