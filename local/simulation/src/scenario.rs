//! What is the same in every run: its clock, how long devices speak, when faults end, and when a run has to be over.

/// Milliseconds since the start of a run.
pub type Moment = u64;

/// Devices speak for so long.
pub const WORK_LASTS: Moment = 40_000;

/// When faults end. Later than the longest of them begins, so that each may act.
pub(crate) const FAULTS_END: Moment = WORK_LASTS * 5 / 2;

/// A world that is not quiet by then never will be: the longest pauses are some minutes.
pub(crate) const QUIET_BY: Moment = 3 * 3_600_000;

/// When the hub's clock stood at the start of a run, milliseconds since 1970: 2024-11-21T00:57:11Z.
pub(crate) const HUB_EPOCH: i64 = 1_732_150_631_000;

/// A moment as people read it.
pub(crate) fn seconds(moment: Moment) -> String {
    format!("{}.{:03} s", moment / 1_000, moment % 1_000)
}
