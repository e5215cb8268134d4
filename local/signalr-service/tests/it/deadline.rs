//! How long a test waits.

use std::time::Duration;

/// Far longer than any step takes on a busy machine; reaching it is a failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
