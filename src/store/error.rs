//! Why something could not be read or kept, sorted by what the caller does next.

use fieldcast_tables::Error;

/// The cause of a failure: an error of the store, or a sentence.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why something could not be read or kept. Nothing is known to have been changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store did not answer in time, or said that it is overloaded: the invocation fails and is delivered again.
    #[error("the state store is unavailable")]
    Unavailable(#[source] Cause),
    /// The store cannot be used as it is set up: a person has to change a setting.
    #[error("the state store cannot be used")]
    Misconfigured(#[source] Cause),
    /// A scan was to go on from a place that the store never named.
    #[error("a scan cannot go on from there")]
    NoSuchPlace(#[source] Cause),
}

impl From<Error> for StoreError {
    fn from(error: Error) -> StoreError {
        match error {
            Error::Unavailable { .. } | Error::Unknown { .. } | Error::Conflict { .. } => {
                StoreError::Unavailable(error.into())
            }
            Error::Invalid { reason: fieldcast_tables::Invalid::Continuation, .. } => {
                StoreError::NoSuchPlace(error.into())
            }
            other => StoreError::Misconfigured(other.into()),
        }
    }
}
