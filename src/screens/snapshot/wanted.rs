//! What a caller wants of a snapshot, read from the query of the address. Cursors and continuations are opaque to callers;
//! what they hold decides only what is read, so a forged one gives nothing that could not be asked for openly.

use std::collections::BTreeSet;

use fieldcast_tables::Moment;
use serde::{Deserialize, Serialize};

use crate::devices::state::DeviceState;
use crate::primitives::ids::DeviceId;
use crate::primitives::json::to_json;
use crate::primitives::opaque;
use crate::primitives::stable_hash::stable_hash;

/// Devices of one reply when the caller does not say: a fleet of 10,000 comes whole, as the predecessor's page expects.
const USUAL_LIMIT: usize = 10_000;

/// More names than this in one query are a mistake; an address of a browser ends before.
const MOST_NAMES: usize = 500;

/// What is wanted.
#[derive(Debug, PartialEq)]
pub(super) struct Wanted {
    pub(super) filter: Filter,
    /// Only what changed since.
    pub(super) since: Option<Cursor>,
    pub(super) place: Place,
    /// About how many devices.
    pub(super) limit: usize,
}

/// Devices by area, by id, or all.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Filter {
    geo: BTreeSet<String>,
    device: BTreeSet<String>,
}

/// The moment up to which a caller knows everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Cursor(pub(super) Moment);

/// Where reading goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) next: Next,
    /// Of the snapshot's first part.
    pub(super) cursor: Option<Cursor>,
}

/// What is read next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Next {
    /// A page of a shard's rows: the first, or the one behind a place that the store named.
    Page(u16, Option<fieldcast_tables::Continuation>),
    /// The devices that are asked for by their ids, from this one on in the order of the ids.
    Named(usize),
}

/// A place in the reading of what somebody wanted.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Continuation {
    pub(super) place: Place,
    since: Option<Cursor>,
    filter: u64,
}

/// Why a query cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WantedError {
    #[error("`since` is not a cursor that was given out here; leave it out to read everything")]
    Cursor,
    #[error("`continuation` is not one that was given out here for this query; begin again without it")]
    Continuation,
    #[error("`limit` must be a number from 1 to {USUAL_LIMIT}")]
    Limit,
    #[error("a `deviceId` is empty, longer than 128 characters or contains a control character")]
    DeviceId,
    #[error("a `geo` is empty")]
    Geo,
    #[error("at most {MOST_NAMES} areas and devices can be asked for at once")]
    TooManyNames,
    #[error("`{0}` is there twice")]
    Twice(&'static str),
}

impl WantedError {
    /// The stable code of the answer.
    pub(super) fn code(self) -> &'static str {
        match self {
            WantedError::Cursor => "bad_cursor",
            WantedError::Continuation => "bad_continuation",
            WantedError::Limit | WantedError::Twice(_) => "bad_query",
            WantedError::DeviceId | WantedError::Geo | WantedError::TooManyNames => "bad_filter",
        }
    }
}

impl Wanted {
    /// Everything, from its beginning.
    pub(super) fn everything() -> Wanted {
        let place = Place { next: Next::Page(0, None), cursor: None };
        Wanted { filter: Filter::default(), since: None, place, limit: USUAL_LIMIT }
    }

    /// Reads a query. Names that are not known are ignored: hosts and proxies add their own.
    pub(super) fn parse(query: &str) -> Result<Wanted, WantedError> {
        let mut wanted = Wanted::everything();
        let (mut since, mut continuation, mut limit) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match &*name {
                "geo" => names(&value).try_for_each(|name| wanted.filter.add_geo(name))?,
                "deviceId" => names(&value).try_for_each(|name| wanted.filter.add_device(name))?,
                "since" => once("since", &mut since, value)?,
                "continuation" => once("continuation", &mut continuation, value)?,
                "limit" => once("limit", &mut limit, value)?,
                _ => {}
            }
        }
        if let Some(limit) = limit {
            let limit: usize = limit.parse().map_err(|_| WantedError::Limit)?;
            let is_possible = (1..=USUAL_LIMIT).contains(&limit);
            wanted.limit = is_possible.then_some(limit).ok_or(WantedError::Limit)?;
        }
        wanted.since = since.map(|text| Cursor::parse(&text)).transpose()?;
        if wanted.filter.is_of_names() {
            wanted.place.next = Next::Named(0);
        }
        if let Some(text) = continuation {
            wanted.place = Continuation::parse(&text, &wanted)?;
        }
        Ok(wanted)
    }
}

/// The Functions host joins the values of a repeated name with commas, so a comma within a name is written `%2C` twice
/// over: as `%252C` in the address.
fn names(value: &str) -> impl Iterator<Item = String> {
    value.split(',').map(|name| name.replace("%2C", ","))
}

fn once(name: &'static str, place: &mut Option<String>, value: String) -> Result<(), WantedError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(WantedError::Twice(name)),
    }
}

impl Filter {
    fn add_geo(&mut self, name: String) -> Result<(), WantedError> {
        if name.trim().is_empty() {
            return Err(WantedError::Geo);
        }
        self.geo.insert(name);
        self.check_size()
    }

    fn add_device(&mut self, name: String) -> Result<(), WantedError> {
        DeviceId::parse(&name).map_err(|_| WantedError::DeviceId)?;
        self.device.insert(name);
        self.check_size()
    }

    fn check_size(&self) -> Result<(), WantedError> {
        match self.geo.len() + self.device.len() <= MOST_NAMES {
            true => Ok(()),
            false => Err(WantedError::TooManyNames),
        }
    }

    /// Whether a device is in one of the areas or is one of those named.
    pub(super) fn takes(&self, state: &DeviceState) -> bool {
        let is_all = self.geo.is_empty() && self.device.is_empty();
        let in_area = state.geo.as_ref().is_some_and(|geo| self.geo.contains(&geo.value));
        is_all || in_area || self.device.contains(&*state.device.device())
    }

    /// Whether a device whose row cannot be read belongs to what is asked for. Nobody knows its area.
    pub(super) fn takes_damaged(&self, device: &DeviceId) -> bool {
        self.device.is_empty() || self.has_areas() || self.device.contains(&*device.device())
    }

    /// Whether a device can leave what is asked for by going to another area.
    pub(super) fn has_areas(&self) -> bool {
        !self.geo.is_empty()
    }

    /// Whether the devices that are wanted are all known by their ids, so that nobody has to look through a shard.
    fn is_of_names(&self) -> bool {
        self.geo.is_empty() && !self.device.is_empty()
    }

    /// The devices that are asked for by their ids, in order.
    pub(super) fn devices(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.device.iter().filter_map(|device| DeviceId::parse(device).ok())
    }

    fn hash(&self) -> u64 {
        stable_hash(to_json(self).as_bytes())
    }
}

impl Cursor {
    /// Before everything.
    pub(super) fn beginning() -> Cursor {
        Cursor(Moment::from_text(""))
    }

    pub(super) fn to_text(&self) -> String {
        opaque::encode(self)
    }

    fn parse(text: &str) -> Result<Cursor, WantedError> {
        opaque::decode(text).ok_or(WantedError::Cursor)
    }
}

impl Continuation {
    pub(super) fn new(wanted: &Wanted, place: Place) -> Continuation {
        Continuation { place, since: wanted.since.clone(), filter: wanted.filter.hash() }
    }

    pub(super) fn to_text(&self) -> String {
        opaque::encode(self)
    }

    /// The place, if it is one in the reading of what is wanted.
    fn parse(text: &str, wanted: &Wanted) -> Result<Place, WantedError> {
        let Continuation { place, since, filter } = opaque::decode(text).ok_or(WantedError::Continuation)?;
        match filter == wanted.filter.hash() && since == wanted.since && place.cursor.is_some() {
            true => Ok(place),
            false => Err(WantedError::Continuation),
        }
    }
}

#[cfg(test)]
mod tests;
