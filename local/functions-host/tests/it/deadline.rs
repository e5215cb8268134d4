//! Waits with a deadline, and names what did not happen.

use std::{future::Future, time::Duration};

/// Long enough for a busy machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Awaits `future`, and fails the test with `what` when it takes longer than `deadline`.
pub(crate) async fn within<T>(what: &str, deadline: Duration, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(deadline, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {deadline:?}"),
    }
}
