//! The texts with which a store of this process names moments and the places between pages.

use crate::{Continuation, Invalid, Moment};

/// Tells a store from others, so that none reads what another one named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreId(pub(crate) u64);

impl StoreId {
    /// The moment of a change.
    pub(crate) fn moment(self, change: u64) -> Moment {
        Moment::from_text(format!("{:x}.{change}", self.0))
    }

    /// The change behind which others are new; `None` for a moment that this store never named.
    pub(crate) fn change_of(self, moment: &Moment, newest: u64) -> Option<u64> {
        self.own(moment.as_str())?.parse().ok().filter(|change| *change <= newest)
    }

    fn own(self, text: &str) -> Option<&str> {
        let (id, rest) = text.split_once('.')?;
        (id == format!("{:x}", self.0)).then_some(rest)
    }

    pub(crate) fn continuation(self, mark: &Mark) -> Continuation {
        let id = self.0;
        Continuation::from_text(match mark {
            Mark::Row(partition, row) => format!("{id:x}.row {partition}\n{row}"),
            Mark::Change(change) => format!("{id:x}.change {change}"),
        })
    }

    /// The place that a continuation names. There is no harm in a forged one: a query finds nothing but its own rows.
    pub(crate) fn mark(self, from: &Continuation) -> Result<Mark, Invalid> {
        let read = || {
            let (kind, rest) = self.own(from.as_str())?.split_once(' ')?;
            match kind {
                "row" => {
                    rest.split_once('\n').map(|(partition, row)| Mark::Row(partition.into(), row.into()))
                }
                "change" => rest.parse().ok().map(Mark::Change),
                _ => None,
            }
        };
        read().ok_or(Invalid::Continuation)
    }
}

/// What the last page ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The row with these keys, in the order of keys.
    Row(String, String),
    /// This change, in the order of changes.
    Change(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId(0xabc);

    #[test]
    fn marks_are_read_back() {
        for mark in [Mark::Row("p \u{1f600}.".to_owned(), "r".to_owned()), Mark::Change(u64::MAX)] {
            assert_eq!(STORE.mark(&STORE.continuation(&mark)), Ok(mark));
        }
        assert_eq!(STORE.change_of(&STORE.moment(7), 7), Some(7));
    }

    #[test]
    fn what_another_store_named_is_not_read() {
        let other = StoreId(0xabd);
        assert_eq!(STORE.change_of(&other.moment(7), 9), None);
        assert_eq!(STORE.change_of(&STORE.moment(10), 9), None, "it has not come yet");
        assert_eq!(STORE.mark(&other.continuation(&Mark::Change(7))), Err(Invalid::Continuation));
    }

    #[test]
    fn what_nobody_named_is_refused() {
        for text in [
            "",
            "abc",
            "abc.",
            "abc.row",
            "abc.row p",
            "abc.change",
            "abc.change -1",
            "abc.change 99999999999999999999",
            "abc.other 1",
            "azure 1!8!U3lk",
        ] {
            assert_eq!(STORE.mark(&Continuation::from_text(text)), Err(Invalid::Continuation), "{text:?}");
        }
    }
}
