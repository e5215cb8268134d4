//! The rules that a request can break.

/// A rule that a request breaks. The rules are Table Storage's, and every store holds to them: see [`limits`](crate::limits).
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
    /// An entity has each property once.
    #[error("property {0} occurs twice")]
    RepeatedProperty(String),
    /// A text or binary property is at most 64 KiB.
    #[error("property {0} is larger than 64 KiB")]
    PropertyTooLarge(String),
    /// NaN and the infinities are no numbers that every reader understands.
    #[error("property {0} is not a finite number")]
    NotFinite(String),
    /// A time or a GUID is not written as one.
    #[error("property {0} is a malformed time or guid")]
    Literal(String),
    /// A row has at most 252 properties of its own, after a merge too.
    #[error("{0} properties in one row, 252 are possible")]
    TooManyProperties(usize),
    /// A row is at most 1 MiB, after a merge too.
    #[error("the row is larger than 1 MiB")]
    EntityTooLarge,
    /// An etag is an opaque quoted text; `*`, which matches any, is deliberately not one.
    #[error("an etag is a quoted text such as W/\"…\"")]
    Etag,
    /// A filter has at most 15 comparisons.
    #[error("{0} comparisons in one filter, 15 are possible")]
    TooManyComparisons(usize),
    /// A page has 1 to 1,000 rows.
    #[error("a page of {0} rows, 1 to 1000 are possible")]
    PageSize(u16),
    /// A query goes on only from a place that the same store named.
    #[error("the query cannot go on from there")]
    Continuation,
    /// A transaction has at most 100 operations.
    #[error("{0} operations in one transaction, 100 are possible")]
    TooManyOperations(usize),
    /// A transaction stays in one partition.
    #[error("the partition differs from that of the first operation")]
    OtherPartition,
    /// A transaction names each row once.
    #[error("the row occurs earlier in the transaction")]
    RepeatedEntity,
    /// A transaction is at most 4 MiB.
    #[error("the transaction is larger than 4 MiB")]
    TransactionTooLarge,
}
