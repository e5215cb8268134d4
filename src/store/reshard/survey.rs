//! What stands where, before and after a move: the totals, and which rows are not where they belong.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use fieldcast_tables::{Query, Value};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::spread::{PARTITIONS_IN_FLIGHT, Spread};
use super::terms::{ReshardError, RowName, Totals};

/// What was found in the old and the new partitions together.
#[derive(Default)]
pub(super) struct Survey {
    /// Each row once, though an interrupted move may have left it in two places.
    pub(super) totals: Totals,
    /// Rows that are not where they belong.
    pub(super) misplaced: u64,
    /// A row outside the old partitions.
    stranger: Option<RowName>,
}

impl Survey {
    /// Before the first row is moved, nothing of this app can be outside the old partitions.
    pub(super) fn has_no_strangers(&self) -> Result<(), ReshardError> {
        self.stranger.clone().map_or(Ok(()), |row| Err(ReshardError::Stranger(row)))
    }

    /// Nothing was lost or came in addition.
    pub(super) fn must_be(&self, before: Totals) -> Result<(), ReshardError> {
        match self.totals == before {
            true => Ok(()),
            false => Err(ReshardError::Totals { before, now: self.totals }),
        }
    }

    /// The same, and every row is where it belongs.
    pub(super) fn must_be_settled(&self, before: Totals) -> Result<(), ReshardError> {
        self.must_be(before)?;
        match self.misplaced {
            0 => Ok(()),
            // Whoever writes to an old partition now is an app that should have been stopped.
            _ => Err(ReshardError::InUse("the storage".to_owned())),
        }
    }
}

/// The `Count` of each row of a partition, by key.
struct Counted {
    partition: String,
    rows: Vec<(String, i64)>,
}

/// Reads the count of every row in the old and the new partitions.
pub(super) async fn survey(spread: &Spread) -> Result<Survey, ReshardError> {
    let old: BTreeSet<String> = spread.from.keys().collect();
    let all: BTreeSet<String> = spread.to.keys().chain(old.iter().cloned()).collect();
    let counting = all.into_iter().map(|partition| count(spread, partition));
    let mut counted = stream::iter(counting).buffer_unordered(PARTITIONS_IN_FLIGHT);
    let (mut survey, mut seen) = (Survey::default(), HashMap::new());
    while let Some(Counted { partition, rows }) = counted.try_next().await? {
        for (row, count) in rows {
            if spread.target(&row) != partition {
                survey.misplaced += 1;
            }
            if !old.contains(&partition) {
                survey.stranger.get_or_insert_with(|| RowName::new(&partition, &row));
            }
            match seen.entry(row) {
                Entry::Vacant(place) => {
                    survey.totals.add(count);
                    place.insert((partition.clone(), count));
                }
                Entry::Occupied(place) if place.get().1 == count => {}
                Entry::Occupied(place) => {
                    return Err(differ(spread, place.key(), &place.get().0, &partition));
                }
            }
        }
    }
    Ok(survey)
}

async fn count(spread: &Spread, partition: String) -> Result<Counted, ReshardError> {
    let query = Query::partition(&partition).select(["Count"]);
    let (mut rows, mut next) = (Vec::new(), None);
    loop {
        let page = spread.devices.query(&query, next.as_ref(), spread.deadline()).await?;
        rows.extend(page.rows.into_iter().map(|stored| {
            let count = stored.entity.get("Count").and_then(Value::as_i64).unwrap_or(0);
            (stored.entity.row, count)
        }));
        next = page.next;
        if next.is_none() {
            return Ok(Counted { partition, rows });
        }
    }
}

fn differ(spread: &Spread, row: &str, one: &str, other: &str) -> ReshardError {
    let (old, copy) = if spread.target(row) == one { (other, one) } else { (one, other) };
    ReshardError::Differ { old: RowName::new(old, row), copy: RowName::new(copy, row) }
}
