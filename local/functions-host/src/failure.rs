//! How an execution fails.

use axum::http::StatusCode;
use thiserror::Error;

/// Why an execution failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum Failure {
    #[error("no reply from the handler: {0}")]
    NoReply(String),
    #[error("the handler answered {0}")]
    Status(StatusCode),
    #[error("the handler's reply cannot be read: {0}")]
    BadReply(String),
    #[error("the function ran longer than functionTimeout allows")]
    TimedOut,
    #[error("the trigger's value cannot be bound: {0}")]
    NotBound(String),
    #[error("the host has stopped")]
    HostStopped,
}
