//! A client's call, the same whether the host forwarded it or wrapped it.

use std::time::Duration;

use axum::http::Method;
use bytes::Bytes;

use crate::host::host_json::Calls;
use crate::host::routes::Parameters;

/// An invocation's own deadline. Far below the host's `functionTimeout` of 5 minutes, which kills the process and every
/// other invocation with it; far above what a healthy store needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a client asks of a function.
pub(crate) struct Call {
    /// One of those that the function's line in the table allows.
    pub(crate) method: Method,
    /// How the host hands it over: the answer to a wrapped call is one text in an envelope, however large it is.
    pub(crate) form: Calls,
    /// What the address says for the parameters of the route.
    pub(crate) parameters: Parameters,
    /// What follows the `?` of the address, as it was sent.
    pub(crate) query: String,
    /// The ETag of the answer that the caller has already.
    pub(crate) if_none_match: Option<String>,
    /// The identity that the platform authenticated, for a function that asks who calls.
    pub(crate) user: Option<String>,
    /// Empty where there was none.
    pub(crate) body: Bytes,
}
