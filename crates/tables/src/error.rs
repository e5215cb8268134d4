//! What can go wrong, sorted by what the caller does next.

use std::fmt;

use crate::Invalid;

/// What made an operation fail, for a log. Its text never holds a key, a signature or a body.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation did not succeed. Each variant asks for a different reaction.
///
/// The text of an error does not repeat its source: print the chain once, where it is handled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row is not as the caller believed, and nothing was written: read it again and try again.
    ///
    /// It exists although it must not, has another etag, or is gone. The code is Table Storage's in every store:
    /// `EntityAlreadyExists`, `UpdateConditionNotSatisfied`, `ResourceNotFound`.
    #[error("the row is not the expected one ({code}){}", at(*.index))]
    Conflict {
        /// Which operation of a transaction it was, counted from 0, if the store said so.
        index: Option<usize>,
        /// The error code.
        code: String,
    },
    /// The write may or may not have been applied: read the row again to find out.
    ///
    /// Azure: the answer was lost, could not be read, or was an error that says nothing about the write. Embedded: the
    /// disk failed while the transaction was committed, or had not answered by the deadline. Memory: never.
    #[error("the write may or may not have been applied: {last}")]
    Unknown {
        /// What happened instead of an answer.
        last: Failure,
        /// What the HTTP client or the disk said.
        source: Option<Cause>,
    },
    /// The store stayed unavailable until the deadline, and nothing was written: try the whole task again later.
    ///
    /// Azure: no connection, no answer to a read, or the service said that it is busy. Embedded: the disk failed or is
    /// full, or did not answer a read by the deadline. Memory: only for a deadline that has passed already.
    #[error("the store was not available ({attempts} attempts): {last}")]
    Unavailable {
        /// How often it was tried.
        attempts: u32,
        /// How the last attempt failed.
        last: Failure,
        /// What the HTTP client or the disk said.
        source: Option<Cause>,
    },
    /// The store does not do this, now or later, and a person has to look.
    ///
    /// Azure: the service refused the request for a reason that has no variant of its own. Embedded: the file cannot be
    /// used, because another process has it open (code `StoreInUse`), it may not be read or written here
    /// (`StoreNotAccessible`), or it is damaged or of another version (`StoreDamaged`). Memory: never.
    #[error("the store refused with {}{}: {message}", label(*.status, .code), at(*.index))]
    Refused {
        /// The HTTP status, where there is one.
        status: Option<u16>,
        /// The error code, empty if there is none.
        code: String,
        /// Which operation of a transaction it was, counted from 0, if the store said so.
        index: Option<usize>,
        /// The first line of the explanation.
        message: String,
        /// What the disk said.
        source: Option<Cause>,
    },
    /// The credentials do not allow this: fix the settings. Only Azure says this.
    #[error("table storage denied access with {}: check {}", label(Some(*.status), .code), hint(.code, *.credential))]
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
    /// The request breaks a rule, and nothing was done: fix it.
    ///
    /// Nearly all rules are checked before the store is asked. Two are about the row that a merge leads to, and one about
    /// a continuation; Azure asks the service about those.
    #[error("the request breaks a rule: {reason}{}", at(*.index))]
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
    /// The deadline had passed before anything was done.
    pub(crate) fn not_tried() -> Error {
        Error::Unavailable { attempts: 0, last: Failure::NotTried, source: None }
    }

    /// The same without saying which operation it was, where there was only one.
    pub(crate) fn of_single(mut self) -> Error {
        if let Error::Conflict { index, .. } | Error::Refused { index, .. } | Error::Invalid { index, .. } =
            &mut self
        {
            *index = None;
        }
        self
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
    /// A file could not be read or written.
    Disk,
    /// The store answered with an error.
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
            Failure::Disk => f.write_str("the disk failed"),
            Failure::Answered { status, code } => {
                write!(f, "the store answered {}", label(Some(*status), code))
            }
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

fn at(index: Option<usize>) -> String {
    index.map(|index| format!(" at operation {index}")).unwrap_or_default()
}

fn label(status: Option<u16>, code: &str) -> String {
    match status {
        None => code.to_owned(),
        Some(status) if code.is_empty() => status.to_string(),
        Some(status) => format!("{status} {code}"),
    }
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
            Error::Invalid { index: Some(7), reason: Invalid::NotFinite("Celsius".to_owned()) },
            "the request breaks a rule: property Celsius is not a finite number at operation 7",
        );
    }
}
