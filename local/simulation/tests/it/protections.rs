//! With one protection taken away: the simulation finds what it protects from, and says it in few faults.

use fieldcast_simulation::{Protection, explore};

/// The lowest failing seed below `seeds` breaks one of these promises, and a few faults are enough for it.
fn is_missed(without: Protection, seeds: u64, promises: &[&str]) {
    let explored = explore(0..seeds, Some(without), |_| ());
    let found = explored.counterexample.unwrap_or_else(|| panic!("{seeds} seeds miss nothing"));
    assert!(promises.contains(&found.violation.check), "seed {}: {}", found.seed, found.violation);
    assert!(found.shortest.len() <= 4, "seed {}: {:#?}", found.seed, found.shortest);
}

const COUNTED_ONCE: &str = "every reading is counted once or refused once";
const STANDS_ONCE: &str = "each refused reading stands once";

#[test]
fn without_watermarks_redelivered_readings_are_counted_again() {
    is_missed(Protection::Watermark, 50, &[COUNTED_ONCE]);
}

#[test]
fn without_write_ids_a_lost_answer_counts_twice() {
    is_missed(Protection::WriteId, 400, &[COUNTED_ONCE]);
}

#[test]
fn without_etags_one_owner_overwrites_the_other() {
    is_missed(Protection::Etag, 50, &[COUNTED_ONCE, "versions and counts only grow"]);
}

#[test]
fn without_rejection_keys_a_refusal_is_kept_again() {
    is_missed(Protection::RejectionKey, 50, &[STANDS_ONCE]);
}

#[test]
fn without_verdicts_a_refusal_is_lost() {
    is_missed(Protection::Verdict, 200, &[COUNTED_ONCE, STANDS_ONCE]);
}

const SCREENS_EQUAL: &str = "every screen equals the store after quiet";

#[test]
fn without_catching_up_a_screen_that_was_cut_off_stays_behind() {
    is_missed(Protection::CatchUp, 100, &[SCREENS_EQUAL]);
}

#[test]
fn without_overlap_a_cursor_passes_over_changes() {
    is_missed(Protection::CursorOverlap, 100, &[SCREENS_EQUAL]);
}

#[test]
fn without_telling_what_left_an_area_it_stays_on_the_screen() {
    is_missed(Protection::Elsewhere, 50, &[SCREENS_EQUAL]);
}

#[test]
fn without_versions_a_screen_goes_back() {
    is_missed(Protection::ScreenVersion, 50, &["no screen shows older after newer"]);
}
