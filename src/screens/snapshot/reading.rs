//! The reading of a snapshot from the store, a page after the other, until there is enough for one answer.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use fieldcast_tables::Moment;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::Instant;

use super::wanted::{Continuation, Cursor, Next, Place, Wanted, WantedError};
use crate::devices::rows::{DeviceRows, StatePage};
use crate::devices::state::DeviceState;
use crate::host::answer::Answer;
use crate::host::call::PATIENCE;
use crate::primitives::chain::chain;
use crate::primitives::ids::DeviceId;
use crate::store::StoreError;
use crate::store::shard::Shard;

/// An answer ends after so many pages of the store, whatever was found in them. More than there can be shards, so that a
/// small fleet comes whole.
const MOST_PAGES: usize = 128;

/// An answer ends when reading has taken so long: a few seconds before clients and proxies lose their patience.
const LONGEST_READING: Duration = Duration::from_secs(10);

/// Devices that are looked up by their ids in one step, and cost as much as several pages.
const NAMES_IN_A_STEP: usize = 16;
const PAGES_OF_A_STEP: usize = 16;

/// Devices that are looked up at once.
const LOOKED_UP_AT_ONCE: usize = 8;

/// When a reading ends before everything is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bounds {
    /// After so many pages or so long: the rest is for another answer.
    OneAnswer,
    /// Only when the store no longer answers in time.
    Everything,
}

/// A reading on its way.
pub(super) struct Reading {
    devices: Arc<DeviceRows>,
    wanted: Wanted,
    bounds: Bounds,
    began: Instant,
    /// Pages so far.
    pages: usize,
    /// Devices found so far.
    found: usize,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    GoesOn,
    /// There is enough for this answer.
    Enough,
    /// Everything was read.
    Through,
}

/// What a page brought.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Devices that are asked for.
    pub(super) taken: Vec<DeviceState>,
    /// Those that changed and are not in the areas asked for.
    pub(super) elsewhere: Vec<DeviceState>,
    /// Devices whose row cannot be read, of whichever area, with their problem.
    pub(super) damaged: Vec<(DeviceId, String)>,
}

impl Reading {
    /// Begins at the place that is wanted. Nothing is read yet.
    pub(super) fn new(devices: Arc<DeviceRows>, wanted: Wanted, bounds: Bounds) -> Reading {
        let (began, progress) = (Instant::now(), Progress::GoesOn);
        Reading { devices, wanted, bounds, began, pages: 0, found: 0, progress }
    }

    /// Reads a page; `None` at the end, or when there is enough for one answer. A page may be empty.
    pub(super) async fn next(&mut self) -> Result<Option<Found>, StoreError> {
        if self.progress == Progress::GoesOn && self.is_enough() {
            self.progress = Progress::Enough;
        }
        match (self.progress, self.wanted.place.next.clone()) {
            (Progress::Enough | Progress::Through, _) => Ok(None),
            (_, Next::Page(shard, _)) if shard >= self.devices.shards().count() => self.through(),
            (_, Next::Page(shard, after)) => {
                let (since, deadline) = (self.since().cloned(), self.deadline());
                let page = self.devices.scan(Shard(shard), since.as_ref(), after.as_ref(), deadline).await?;
                self.wanted.place.next = match &page.next {
                    Some(after) => Next::Page(shard, Some(after.clone())),
                    None => Next::Page(shard + 1, None),
                };
                self.pages += 1;
                Ok(Some(self.sorted_out(page)))
            }
            (_, Next::Named(from)) => {
                let devices: Vec<_> = self.wanted.filter.devices().skip(from).take(NAMES_IN_A_STEP).collect();
                if devices.is_empty() {
                    return self.through();
                }
                self.wanted.place.next = Next::Named(from + devices.len());
                self.pages += PAGES_OF_A_STEP;
                self.look_up(devices).await.map(Some)
            }
        }
    }

    /// Ends it after the page that was read last.
    pub(super) fn stop(&mut self) {
        if self.progress == Progress::GoesOn {
            self.progress = Progress::Enough;
        }
    }

    /// To ask for what changed since.
    pub(super) fn cursor(&self) -> Cursor {
        self.wanted.place.cursor.clone().unwrap_or_else(Cursor::beginning)
    }

    /// Where another answer goes on, if there is more.
    pub(super) fn continuation(&self) -> Option<Continuation> {
        let Place { next, cursor } = &self.wanted.place;
        let is_through = match next {
            Next::Page(shard, _) => *shard >= self.devices.shards().count(),
            Next::Named(from) => self.wanted.filter.devices().nth(*from).is_none(),
        };
        let is_over = self.progress == Progress::Through || is_through;
        (!is_over && cursor.is_some()).then(|| Continuation::new(&self.wanted, self.wanted.place.clone()))
    }

    fn is_enough(&self) -> bool {
        let is_long = self.pages >= MOST_PAGES || self.began.elapsed() >= LONGEST_READING;
        self.bounds == Bounds::OneAnswer && self.pages > 0 && (is_long || self.found >= self.wanted.limit)
    }

    fn through(&mut self) -> Result<Option<Found>, StoreError> {
        self.progress = Progress::Through;
        Ok(None)
    }

    fn since(&self) -> Option<&Moment> {
        self.wanted.since.as_ref().map(|Cursor(moment)| moment)
    }

    fn deadline(&self) -> Instant {
        self.began + PATIENCE
    }

    /// Looks devices up. The first one by itself: the cursor must be a moment before any other was read.
    async fn look_up(&mut self, devices: Vec<DeviceId>) -> Result<Found, StoreError> {
        let mut devices = devices.into_iter();
        let mut all = Found::default();
        if self.wanted.place.cursor.is_none()
            && let Some(first) = devices.next()
        {
            let page = self.devices.scan_device(&first, self.since(), self.deadline()).await?;
            all = self.sorted_out(page);
        }
        let (rows, since, deadline) = (&self.devices, self.since(), self.deadline());
        let look_ups: Vec<_> =
            devices.map(|device| async move { rows.scan_device(&device, since, deadline).await }).collect();
        let pages: Vec<StatePage> = stream::iter(look_ups).buffered(LOOKED_UP_AT_ONCE).try_collect().await?;
        for page in pages {
            let Found { taken, damaged, .. } = self.sorted_out(page);
            all.taken.extend(taken);
            all.damaged.extend(damaged);
        }
        Ok(all)
    }

    fn sorted_out(&mut self, page: StatePage) -> Found {
        self.wanted.place.cursor.get_or_insert(Cursor(page.as_of));
        let heard = page.states.into_iter().filter(DeviceState::is_heard);
        let (taken, others): (Vec<_>, Vec<_>) = heard.partition(|state| self.wanted.filter.takes(state));
        let tells_others = self.wanted.since.is_some() && self.wanted.filter.has_areas();
        let elsewhere = if tells_others { others } else { Vec::new() };
        let mut damaged = page.damaged;
        damaged.retain(|(device, _)| self.wanted.filter.takes_damaged(device));
        self.found += taken.len() + elsewhere.len() + damaged.len();
        Found { taken, elsewhere, damaged }
    }
}

/// The answer where nothing could be read.
pub(super) fn unreadable(error: &StoreError) -> Answer {
    match error {
        StoreError::NoSuchPlace(_) => {
            let error = WantedError::Continuation;
            Answer::error(StatusCode::BAD_REQUEST, error.code(), &error.to_string())
        }
        StoreError::Misconfigured(_) => Answer::misconfigured("the snapshot", &chain(error)),
        _ => Answer::unavailable("the snapshot", &chain(error)),
    }
}
