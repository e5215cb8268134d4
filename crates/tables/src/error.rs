//! What can go wrong, sorted by what the caller does next.

use std::fmt;

/// Why an operation did not succeed. Each variant asks for a different reaction.
///
/// Neither the text nor the source of an error holds a key, a signature or a body.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The row is not as the caller believed, and nothing was written: read it again and try again.
    ///
    /// This is `409 EntityAlreadyExists` for an insert, `412` for a stale etag, and also `404` for a merge or
    /// a delete of a row that has gone, as the etag in hand is just as stale then.
    #[error("the row is not the expected one ({code}){}", at(*.index))]
    Conflict {
        /// Which operation of a transaction it was, counted from 0, if the service said so.
        index: Option<usize>,
        /// The error code of the service.
        code: String,
    },
    /// The write may or may not have been applied: read the row again to find out.
    #[error("the write may or may not have been applied: {last}")]
    Unknown {
        /// What happened instead of an answer.
        last: Failure,
        /// The error of the HTTP client, if it had one.
        source: Option<reqwest::Error>,
    },
    /// The store stayed unavailable until the deadline, and nothing was written as far as is known: try the
    /// whole task again later.
    #[error("table storage was not available ({attempts} attempts): {last}")]
    Unavailable {
        /// How many requests were sent or tried.
        attempts: u32,
        /// How the last of them failed.
        last: Failure,
        /// The error of the HTTP client, if it had one.
        source: Option<reqwest::Error>,
    },
    /// The service does not accept this request, now or later: fix it.
    #[error("table storage refused the request with {}{}: {message}", label(*.status, .code), at(*.index))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error code of the service, empty if it sent none.
        code: String,
        /// Which operation of a transaction it was, counted from 0, if the service said so.
        index: Option<usize>,
        /// The first line of the service's explanation.
        message: String,
    },
    /// The credentials do not allow this: fix the settings.
    #[error("table storage denied access with {}: check {}", label(*.status, .code), hint(.code, *.credential))]
    Denied {
        /// The HTTP status, 401 or 403.
        status: u16,
        /// The error code of the service, empty if it sent none.
        code: String,
        /// Which kind of credential was used.
        credential: CredentialKind,
    },
    /// The table does not exist (or is being deleted): create it.
    #[error("table {table} does not exist")]
    MissingTable {
        /// Its name.
        table: String,
    },
    /// The request breaks a rule of the service and was not sent: fix it.
    #[error("the request was not sent: {reason}{}", at(*.index))]
    Invalid {
        /// Which operation of a transaction it was, counted from 0.
        index: Option<usize>,
        /// The rule.
        reason: Invalid,
    },
}

impl From<Invalid> for Error {
    fn from(reason: Invalid) -> Error {
        Error::Invalid { index: None, reason }
    }
}

impl Error {
    /// Names the operation of a transaction that broke a rule.
    pub(crate) fn invalid_at(index: usize, reason: Invalid) -> Error {
        Error::Invalid { index: Some(index), reason }
    }
}

/// How one attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The deadline had passed before anything was sent.
    NotTried,
    /// No connection could be made, so nothing was sent.
    NotConnected,
    /// There was no answer within the time for one attempt.
    TimedOut,
    /// The connection ended before the answer was complete.
    CutOff,
    /// The answer was complete but made no sense; the text says in which way.
    Unreadable(&'static str),
    /// The service answered with an error.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The error code of the service, empty if it sent none.
        code: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NotTried => f.write_str("the deadline had passed already"),
            Failure::NotConnected => f.write_str("no connection could be made"),
            Failure::TimedOut => f.write_str("there was no answer in time"),
            Failure::CutOff => f.write_str("the connection ended before the answer was complete"),
            Failure::Unreadable(what) => write!(f, "the answer could not be read: {what}"),
            Failure::Answered { status, code } => write!(f, "the service answered {}", label(*status, code)),
        }
    }
}

/// Which part of the connection string a request was authorised with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// `AccountKey`
    AccountKey,
    /// `SharedAccessSignature`
    SharedAccessSignature,
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CredentialKind::AccountKey => "AccountKey",
            CredentialKind::SharedAccessSignature => "SharedAccessSignature",
        })
    }
}

/// A rule of the service that a request breaks. All are checked before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A table name is 3 to 63 ASCII letters and digits, starts with a letter, and is not `tables`.
    #[error("a table name is 3 to 63 letters and digits and starts with a letter")]
    TableName,
    /// A key is longer than 1 KiB (512 characters, which the service counts in UTF-16).
    #[error("{key} is longer than 1 KiB")]
    KeyTooLong {
        /// `PartitionKey` or `RowKey`.
        key: &'static str,
    },
    /// A key holds one of `/ \ # ?` or a control character.
    #[error("{key} holds the forbidden character {character:?}")]
    KeyCharacter {
        /// `PartitionKey` or `RowKey`.
        key: &'static str,
        /// The first of them.
        character: char,
    },
    /// A property name is an identifier of at most 255 characters, other than the system's own names.
    #[error("property name {0:?} is not an identifier or is reserved")]
    PropertyName(String),
    /// The store cannot hold NaN or an infinity as a number that every reader understands.
    #[error("property {0} is not a finite number")]
    NotFinite(String),
    /// A time or a GUID in a filter is not written as one.
    #[error("property {0} is compared with a malformed time or guid")]
    Literal(String),
    /// An etag is an opaque quoted text; `*`, which matches any, is deliberately not one.
    #[error("an etag is a quoted text such as W/\"…\"")]
    Etag,
    /// A filter has at most 15 comparisons.
    #[error("{0} comparisons in one filter, 15 are possible")]
    TooManyComparisons(usize),
    /// A page has 1 to 1,000 rows.
    #[error("a page of {0} rows, 1 to 1000 are possible")]
    PageSize(u16),
    /// A transaction has at most 100 operations.
    #[error("{0} operations in one transaction, 100 are possible")]
    TooManyOperations(usize),
    /// A transaction stays in one partition.
    #[error("the partition differs from that of the first operation")]
    OtherPartition,
    /// A transaction names each entity once.
    #[error("the entity occurs earlier in the transaction")]
    RepeatedEntity,
    /// A transaction is at most 4 MiB.
    #[error("the transaction is larger than 4 MiB")]
    TransactionTooLarge,
}

fn at(index: Option<usize>) -> String {
    index.map(|index| format!(" at operation {index}")).unwrap_or_default()
}

fn label(status: u16, code: &str) -> String {
    if code.is_empty() { status.to_string() } else { format!("{status} {code}") }
}

/// What an operator can look at. The service has a code for its firewall, but none for a wrong clock: it
/// refuses a date that is 15 minutes off like a wrong key.
fn hint(code: &str, credential: CredentialKind) -> String {
    let more = match credential {
        CredentialKind::AccountKey => "and the clock of this machine",
        CredentialKind::SharedAccessSignature => "its expiry and its permissions",
    };
    let is_firewall = code == "AuthorizationFailure";
    let firewall = if is_firewall { ", or the firewall of the storage account" } else { "" };
    format!("{credential} in the connection string, {more}{firewall}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_help_an_operator() {
        let code = || "UpdateConditionNotSatisfied".to_owned();
        let check = |error: Error, text: &str| assert_eq!(error.to_string(), text);
        check(
            Error::Conflict { index: Some(3), code: code() },
            "the row is not the expected one (UpdateConditionNotSatisfied) at operation 3",
        );
        check(
            Error::Unknown { last: Failure::TimedOut, source: None },
            "the write may or may not have been applied: there was no answer in time",
        );
        check(
            Error::Denied {
                status: 403,
                code: "AuthorizationFailure".to_owned(),
                credential: CredentialKind::AccountKey,
            },
            "table storage denied access with 403 AuthorizationFailure: check AccountKey in the connection string, \
 and the clock of this machine, or the firewall of the storage account",
        );
        check(
            Error::invalid_at(7, Invalid::NotFinite("Celsius".to_owned())),
            "the request was not sent: property Celsius is not a finite number at operation 7",
        );
    }
}
