//! Rejected bodies from the newest to the oldest.
//!
//! First their keys are read, days in their order and the slots of a day side by side, then the rows that are wanted. A day
//! of few rows is read with its neighbours in one page, so that months of few rows cost few reads.

use std::collections::BTreeMap;
use std::ops::Bound;

use fieldcast_tables::limits::MOST_PAGE_ROWS;
use fieldcast_tables::{Comparison, Deadline, Entity, Error, Page, Query, Stored, Table, Value};
use futures_util::future::try_join_all;
use tokio::time::{Duration, Instant};

use crate::rejected::body::RejectedBody;
use crate::rejected::key::Group;
use crate::rejected::row;
use crate::store::StoreError;

/// Pages of keys that one call reads: about 100,000 rows when those of one device are wanted.
const MOST_PAGES: usize = 100;

/// A call looks at no further keys after this time, and says where to go on.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListQuery {
    /// Only those of this device, as the first rejected element claims it.
    pub device: Option<String>,
    /// Only those behind this place.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: usize,
    /// No more when their bytes are together this many.
    pub enough_bytes: usize,
}

/// A place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A day, as partition keys begin with it, or a partition of an earlier version.
    pub group: String,
    /// The key of the last row of it that was looked at; `None`: all of them were.
    pub row: Option<String>,
}

/// A part of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The bodies. Rows that somebody has made unreadable are passed over.
    pub bodies: Vec<RejectedBody>,
    /// Where the list goes on; `None` at its end.
    pub next: Option<Place>,
}

/// What is known of a row before it is read.
#[derive(Clone, Debug, PartialEq)]
struct Candidate {
    partition: String,
    row: String,
    is_wanted: bool,
    bytes: usize,
}

/// Keys of the next rows, and the place behind them; `None` at the end.
struct Candidates {
    found: Vec<Candidate>,
    next: Option<Place>,
}

pub(super) async fn list(table: &Table, query: &ListQuery, deadline: Instant) -> Result<Listed, StoreError> {
    let began = Instant::now();
    let mut keys = Keys { table, query, deadline: Deadline::at(deadline), pages: 0 };
    let (mut chosen, mut bytes, mut place) = (Vec::new(), 0, query.after.clone());
    let next = loop {
        let Candidates { found, next } = keys.next(place.as_ref()).await?;
        let mut full = None;
        for candidate in found {
            if !candidate.is_wanted {
                continue;
            }
            bytes += candidate.bytes;
            chosen.push(candidate);
            if chosen.len() >= query.limit || bytes >= query.enough_bytes {
                full = chosen.last();
                break;
            }
        }
        match (full, next) {
            (Some(last), _) => break Some(last.place()),
            (None, None) => break None,
            (None, next) if keys.pages >= MOST_PAGES || began.elapsed() > LONGEST_LOOK => break next,
            (None, next) => place = next,
        }
    };
    let bodies = read(table, chosen, query.device.as_deref(), Deadline::at(deadline)).await?;
    Ok(Listed { bodies, next })
}

/// Reads keys.
struct Keys<'a> {
    table: &'a Table,
    query: &'a ListQuery,
    deadline: Deadline,
    /// How many pages were read.
    pages: usize,
}

impl Keys<'_> {
    /// The keys behind a place, or from the newest row on. There is at least one, unless there is nothing left in the place's
    /// group, or at all.
    async fn next(&mut self, place: Option<&Place>) -> Result<Candidates, Error> {
        let (group, after) = match place {
            None => (None, None),
            Some(Place { group, row }) => (Some(Group::of_name(group)), row.as_deref()),
        };
        let everything = match (group, after) {
            (None, _) => Query::everything(),
            (Some(group), None) => Query::everything().behind_partition(group.end()),
            // The name of a day stands before its partitions.
            (Some(Group::Day(day)), Some(_)) => Query::everything().behind_partition(day),
            (Some(group @ Group::Earlier(_)), Some(after)) => return self.of_group(group, Some(after)).await,
        };
        let page = self.page(everything, None).await?;
        let is_last = page.next.is_none();
        let Some(first) = page.rows.first() else { return Ok(Candidates { found: Vec::new(), next: None }) };
        let first = Group::of_partition(&first.entity.partition).name().to_owned();
        let last = page.rows.last().map(|row| Group::of_partition(&row.entity.partition).name().to_owned());
        if !is_last && last.as_ref() == Some(&first) {
            let after = after.filter(|_| group.map(Group::name) == Some(&first));
            return self.of_group(Group::of_name(&first), after).await;
        }
        let mut groups: Vec<(String, Vec<Candidate>)> = Vec::new();
        for stored in &page.rows {
            let name = Group::of_partition(&stored.entity.partition).name();
            match groups.last_mut() {
                Some((group, rows)) if group == name => rows.push(self.candidate(&stored.entity)),
                _ => groups.push((name.to_owned(), vec![self.candidate(&stored.entity)])),
            }
        }
        // More of the last group may follow on the next page.
        if !is_last {
            groups.pop();
        }
        let next =
            groups.last().filter(|_| !is_last).map(|(group, _)| Place { group: group.clone(), row: None });
        let behind = |name: &str, row: &str| {
            after.is_none_or(|after| group.map(Group::name) != Some(name) || row > after)
        };
        let mut found = Vec::with_capacity(page.rows.len());
        for (name, mut rows) in groups {
            rows.retain(|candidate| behind(&name, &candidate.row));
            rows.sort_by(|one, other| one.row.cmp(&other.row));
            found.append(&mut rows);
        }
        Ok(Candidates { found, next })
    }

    /// The next keys of one group, a page of each of its partitions, as far as all of them were read.
    async fn of_group(&mut self, group: Group<'_>, after: Option<&str>) -> Result<Candidates, Error> {
        let behind = after.map_or(Bound::Unbounded, Bound::Excluded);
        let partitions = group.partitions();
        let reads = partitions.iter().map(|partition| {
            let query = Query::partition(partition.as_str()).rows((behind, Bound::<&str>::Unbounded));
            read_page(self.table, self.selected(query, partitions.len()), self.deadline)
        });
        let pages = try_join_all(reads).await?;
        self.pages += pages.iter().map(|(pages, _)| pages).sum::<usize>();
        let read_until =
            |page: &Page| page.next.as_ref().and(page.rows.last()).map(|last| last.entity.row.clone());
        let until = pages.iter().filter_map(|(_, page)| read_until(page)).min();
        let rows = pages.iter().flat_map(|(_, page)| &page.rows).map(|stored| self.candidate(&stored.entity));
        let mut found: Vec<Candidate> =
            rows.filter(|one| until.as_ref().is_none_or(|until| one.row <= *until)).collect();
        found.sort_by(|one, other| one.row.cmp(&other.row));
        Ok(Candidates { found, next: Some(Place { group: group.name().to_owned(), row: until }) })
    }

    async fn page(&mut self, query: Query, partitions: Option<usize>) -> Result<Page, Error> {
        let query = self.selected(query, partitions.unwrap_or(1));
        let (pages, page) = read_page(self.table, query, self.deadline).await?;
        self.pages += pages;
        Ok(page)
    }

    /// Rows of a page: of one device, as many as it takes; of all, about as many as are wanted.
    fn selected(&self, query: Query, partitions: usize) -> Query {
        let wanted = match self.query.device {
            Some(_) => usize::from(MOST_PAGE_ROWS),
            None => 2 * self.query.limit / partitions + 8,
        };
        let rows = u16::try_from(wanted).unwrap_or(MOST_PAGE_ROWS).min(MOST_PAGE_ROWS);
        query.select(["DeviceId", "BodyLength"]).top(rows)
    }

    fn candidate(&self, row: &Entity) -> Candidate {
        let device = row.get("DeviceId").and_then(Value::as_str);
        let bytes =
            row.get("BodyLength").and_then(Value::as_i64).and_then(|bytes| usize::try_from(bytes).ok());
        Candidate {
            partition: row.partition.clone(),
            row: row.row.clone(),
            is_wanted: self.query.device.as_deref().is_none_or(|wanted| device == Some(wanted)),
            bytes: bytes.unwrap_or(row::MOST_BYTES).min(row::MOST_BYTES),
        }
    }
}

impl Candidate {
    /// The place behind it.
    fn place(&self) -> Place {
        let group = Group::of_partition(&self.partition).name().to_owned();
        Place { group, row: Some(self.row.clone()) }
    }
}

/// The first page that is not empty, if any is, and how many pages were read for it.
async fn read_page(table: &Table, query: Query, deadline: Deadline) -> Result<(usize, Page), Error> {
    let mut page = table.query(&query, None, deadline).await?;
    let mut pages = 1;
    while let Some(next) = page.next.take_if(|_| page.rows.is_empty()) {
        page = table.query(&query, Some(&next), deadline).await?;
        pages += 1;
    }
    Ok((pages, page))
}

/// The bodies of these rows, in their order.
async fn read(
    table: &Table,
    chosen: Vec<Candidate>,
    device: Option<&str>,
    deadline: Deadline,
) -> Result<Vec<RejectedBody>, Error> {
    let mut partitions: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for one in &chosen {
        let range = partitions.entry(&one.partition).or_insert((&one.row, &one.row));
        *range = (range.0.min(&one.row), range.1.max(&one.row));
    }
    let reads = partitions.into_iter().map(|(partition, (first, last))| async move {
        let query = Query::partition(partition).rows(first..=last);
        let query = match device {
            Some(device) => query.filter("DeviceId", Comparison::Equal, device),
            None => query,
        };
        table.query_all(&query, deadline).await
    });
    let rows: Vec<Stored> = try_join_all(reads).await?.into_iter().flatten().collect();
    let rows: BTreeMap<(&str, &str), &Entity> = rows
        .iter()
        .map(|stored| ((stored.entity.partition.as_str(), stored.entity.row.as_str()), &stored.entity))
        .collect();
    let body = |one: &Candidate| row::body(rows.get(&(one.partition.as_str(), one.row.as_str()))?);
    Ok(chosen.iter().filter_map(body).collect())
}
