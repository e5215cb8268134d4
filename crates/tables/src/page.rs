//! Part of a query's answer, and the two opaque texts in it, which may be handed to a client and taken back.

use serde::{Deserialize, Serialize};

use crate::Stored;

/// Some rows of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The rows; there may be none although more follow.
    pub rows: Vec<Stored>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<Continuation>,
    /// The moment at which the page was read.
    pub as_of: Moment,
}

/// Where the next page of a query starts. Opaque: it is only handed back to the store that named it, with the same query.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Continuation(String);

impl Continuation {
    /// Takes one that was kept as text. Whether a store can read it turns out when it is used.
    pub fn from_text(text: impl Into<String>) -> Continuation {
        Continuation(text.into())
    }

    /// The text, in which every character can be in JSON but not in an address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A moment in the life of a store, for [`Query::changed_since`](crate::Query::changed_since). Opaque: only the store that
/// told it can read it. To any other store, and to one that was started anew, everything has changed since.
///
/// The moment to keep is that of the *first* page of a query: rows that are written while later pages are read may be
/// in none of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(String);

impl Moment {
    /// Takes one that was kept as text.
    pub fn from_text(text: impl Into<String>) -> Moment {
        Moment(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
