//! Protections of the pipeline, and how to take each of them away at a seam, so that everybody can see the simulation
//! find what it protects from. Production code knows nothing of this.

use std::sync::Arc;

use fieldcast::primitives::ids::DeviceId;
use fieldcast::rejected::refusal::Refusal;
use fieldcast::store::shard::Shard;
use fieldcast::store::{
    CommitError, Loaded, Moment, Page, RefusalQuery, Reply, Revision, StateStore, StoreError, Write,
};
use fieldcast::telemetry::calibration::Calibrations;
use tokio::time::Instant;

use crate::store::SimulatedStore;

/// Something that keeps the counts exact, or the screens right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Protection {
    /// Redelivered events are skipped because the row knows how far each partition was folded in.
    Watermark,
    /// A write whose answer was lost is found again by the id of its invocation.
    WriteId,
    /// A row is written only if it is still what was read.
    Etag,
    /// A refusal's key is made of its position, so that it is kept once.
    RejectionKey,
    /// "Counted" or "refused" is decided once, in the write of the row, and read from it when the reading comes again.
    Verdict,
    /// A screen shows no state that is older than the one it shows.
    ScreenVersion,
    /// A screen that may have missed something asks what changed meanwhile.
    CatchUp,
    /// A cursor is never ahead of what was read.
    CursorMoment,
    /// Who follows an area is told which devices have left it.
    Elsewhere,
}

impl Protection {
    /// All of them.
    pub const ALL: [Protection; 9] = [
        Protection::Watermark,
        Protection::WriteId,
        Protection::Etag,
        Protection::RejectionKey,
        Protection::Verdict,
        Protection::ScreenVersion,
        Protection::CatchUp,
        Protection::CursorMoment,
        Protection::Elsewhere,
    ];

    /// Whether it is a protection of the screens themselves.
    pub(crate) fn is_of_screens(self) -> bool {
        matches!(self, Protection::ScreenVersion | Protection::CatchUp | Protection::Elsewhere)
    }
}

/// The store with one protection taken away.
pub(crate) struct Weakened {
    pub(crate) store: Arc<SimulatedStore>,
    pub(crate) without: Protection,
}

impl Weakened {
    fn forget(&self, loaded: Loaded) -> Loaded {
        let Loaded::Found(mut stored) = loaded else { return loaded };
        match self.without {
            Protection::Watermark => stored.state.marks.clear(),
            Protection::WriteId => stored.state.write_id.clear(),
            Protection::Verdict => stored.state.verdicts = Default::default(),
            _ => {}
        }
        Loaded::Found(stored)
    }
}

/// A moment by a clock that is ahead of the one by which writes are dated.
fn later(moment: &Moment) -> Moment {
    let writes: u64 = moment.0.parse().unwrap_or_default();
    Moment((writes + 2).to_string())
}

impl StateStore for Weakened {
    fn load<'a>(
        &'a self,
        shard: Shard,
        devices: &'a [DeviceId],
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Loaded>, StoreError>> {
        Box::pin(async move {
            let loaded = self.store.load(shard, devices, deadline).await?;
            Ok(loaded.into_iter().map(|row| self.forget(row)).collect())
        })
    }

    fn commit<'a>(
        &'a self,
        shard: Shard,
        writes: &'a [Write],
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Revision>, CommitError>> {
        let conditional = self.without != Protection::Etag;
        Box::pin(self.store.write(shard, writes, conditional, deadline))
    }

    fn scan<'a>(
        &'a self,
        shard: Shard,
        since: Option<Moment>,
        after: Option<String>,
        deadline: Instant,
    ) -> Reply<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let mut page = self.store.scan(shard, since, after, deadline).await?;
            if self.without == Protection::CursorMoment {
                page.read_at = later(&page.read_at);
            }
            Ok(page)
        })
    }

    fn calibrations(&self, deadline: Instant) -> Reply<'_, Result<Calibrations, StoreError>> {
        self.store.calibrations(deadline)
    }

    fn refuse<'a>(&'a self, refusals: &'a [Refusal], deadline: Instant) -> Reply<'a, Result<(), StoreError>> {
        let by_key = self.without != Protection::RejectionKey;
        Box::pin(self.store.keep(refusals, by_key, deadline))
    }

    fn refusing_partitions(&self, deadline: Instant) -> Reply<'_, Result<Vec<String>, StoreError>> {
        self.store.refusing_partitions(deadline)
    }

    fn refused<'a>(
        &'a self,
        query: &'a RefusalQuery,
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Refusal>, StoreError>> {
        self.store.refused(query, deadline)
    }
}
