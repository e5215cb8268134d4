//! With one protection taken away: the simulation finds what it protects from, and says it in few faults.

use std::path::Path;

use fieldcast_simulation::{ENGINE, Protection, explore};

/// A seed below `seeds` breaks one of these promises, and a few faults are enough for it. Seeds that only break others, of
/// which a missing protection may have several, are passed over.
fn is_missed(without: Protection, seeds: u64, promises: &[&str]) {
    let mut from = 0;
    loop {
        let explored = explore(Path::new(ENGINE), from..seeds, Some(without), |_| ())
            .expect("Node and the page's module are there");
        let found = explored.counterexample.unwrap_or_else(|| panic!("{seeds} seeds miss nothing"));
        if promises.contains(&found.violation.check) {
            assert!(found.shortest.len() <= 5, "seed {}: {:#?}", found.seed, found.shortest);
            return;
        }
        from = found.seed + 1;
    }
}

const COUNTED_ONCE: &str = "every reading is counted once or rejected once";
const STANDS_ONCE: &str = "each rejected reading stands once";

#[test]
fn without_watermarks_redelivered_readings_are_counted_again() {
    is_missed(Protection::Watermark, 50, &[COUNTED_ONCE]);
}

#[test]
fn without_enqueued_times_a_hub_that_was_made_again_is_taken_for_a_second_delivery() {
    is_missed(Protection::EnqueuedTime, 400, &[COUNTED_ONCE]);
}

#[test]
fn without_the_marks_of_the_hub_before_its_second_deliveries_count_again() {
    is_missed(Protection::EarlierStream, 1_000, &[COUNTED_ONCE]);
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
fn without_rejection_keys_a_rejected_reading_is_kept_again() {
    is_missed(Protection::RejectionKey, 50, &[STANDS_ONCE]);
}

#[test]
fn without_verdicts_a_rejected_reading_is_lost() {
    is_missed(Protection::Verdict, 200, &[COUNTED_ONCE, STANDS_ONCE]);
}

const SCREENS_EQUAL: &str = "every screen equals the store after quiet";

#[test]
fn without_catching_up_a_screen_that_was_cut_off_stays_behind() {
    is_missed(Protection::CatchUp, 100, &[SCREENS_EQUAL]);
}

#[test]
fn with_cursors_that_are_ahead_changes_are_passed_over() {
    is_missed(Protection::CursorMoment, 400, &[SCREENS_EQUAL]);
}

#[test]
fn without_taking_note_of_what_left_an_area_it_stays_on_the_screen() {
    is_missed(Protection::Elsewhere, 50, &[SCREENS_EQUAL]);
}

#[test]
fn without_telling_an_area_what_left_it_a_screen_that_relies_on_pushes_keeps_it() {
    is_missed(Protection::LeftArea, 100, &[SCREENS_EQUAL]);
}

#[test]
fn without_asking_again_when_groups_have_settled_a_change_is_missed() {
    is_missed(Protection::GroupSettling, 300, &[SCREENS_EQUAL]);
}

#[test]
fn without_versions_a_screen_goes_back() {
    is_missed(Protection::ScreenVersion, 50, &["no screen shows older after newer"]);
}
