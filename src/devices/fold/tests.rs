//! The algebra of folding: once each, in any order and any split.

use proptest::prelude::*;

use super::*;
use crate::primitives::ids::HubPartition;

const PARTITIONS: [&str; 2] = ["0", "1"];

fn device() -> DeviceId {
    DeviceId::parse("sensor-1").unwrap()
}

/// One event with one reading per temperature.
fn event(
    event: usize,
    partition: &str,
    sequence: Option<i64>,
    at: i64,
    temperatures: &[f64],
) -> Vec<Arrival> {
    let arrival = |(index, &temperature): (usize, &f64)| Arrival {
        event,
        index,
        span: 0..0,
        position: Position { partition: HubPartition::new("hub", partition), sequence },
        at: Millis(at),
        reading: Reading {
            device: device(),
            message_id: Some(format!("{partition}:{sequence:?}:{index}")),
            geo: (temperature > 50.0).then(|| format!("area {temperature}")),
            raw: vec![(0, temperature.into())],
            measured_at: None,
            clock_ignored: false,
        },
    };
    temperatures.iter().enumerate().map(arrival).collect()
}

fn apply(current: Option<&DeviceState>, mut arrivals: Vec<Arrival>) -> Folded {
    in_stream_order(&mut arrivals);
    fold(&device(), current.cloned(), &arrivals, None, &Catalogue::environment())
}

fn temperature(state: &DeviceState) -> f64 {
    state.values[0].as_ref().unwrap().value.as_number().unwrap()
}

#[test]
fn readings_of_one_device_become_one_next_state() {
    let arrivals =
        [event(1, "0", Some(8), 200, &[22.0]), event(0, "0", Some(7), 100, &[21.0, 20.0])].concat();
    let folded = apply(None, arrivals);
    let next = folded.next.unwrap();
    assert_eq!((folded.accepted, folded.skipped, next.count, next.version), (3, 0, 3, 1));
    assert_eq!(temperature(&next), 22.0);
    assert_eq!(
        next.watermarks[&HubPartition::new("hub", "0")],
        Watermark { sequence: 8, enqueued_at: Some(Millis(200)), at: Millis(200) }
    );
    assert_eq!(next.reported.unwrap().at, Millis(200));
}

#[test]
fn redelivered_events_are_skipped() {
    let first = apply(None, event(0, "0", Some(7), 100, &[21.0])).next.unwrap();
    let again = apply(Some(&first), event(0, "0", Some(7), 100, &[21.0]));
    assert_eq!((again.next, again.accepted, again.skipped), (None, 0, 1));
    let twice_in_one = [event(0, "0", Some(8), 100, &[1.0]), event(1, "0", Some(8), 100, &[1.0])].concat();
    assert_eq!(apply(Some(&first), twice_in_one).next.unwrap().count, 2);
}

#[test]
fn an_older_reading_of_another_partition_counts_but_does_not_overwrite() {
    let newer = apply(None, event(0, "1", Some(3), 200, &[30.0])).next.unwrap();
    let both = apply(Some(&newer), event(0, "0", Some(900), 100, &[10.0])).next.unwrap();
    assert_eq!((both.count, temperature(&both)), (2, 30.0));
    assert_eq!(both.reported.unwrap().at, Millis(200));
}

#[test]
fn a_hub_clock_that_steps_back_does_not_reorder_a_partition() {
    let first = apply(None, event(0, "0", Some(1), 500, &[1.0])).next.unwrap();
    let second = apply(Some(&first), event(0, "0", Some(2), 300, &[2.0])).next.unwrap();
    assert_eq!(temperature(&second), 2.0);
    assert_eq!(second.reported.unwrap().at, Millis(500));
}

#[test]
fn rejected_readings_do_not_count_and_do_not_stop_the_others() {
    let folded = apply(None, event(0, "0", Some(1), 1, &[20.0, 999.0, 22.0]));
    assert_eq!(folded.rejected.len(), 1);
    assert_eq!(folded.rejected[0].0, 1);
    assert_eq!(folded.rejected[0].1.detail, "temperature is 999, valid is -40 to 80 °C");
    assert_eq!(folded.next.unwrap().count, 2);
}

#[test]
fn a_verdict_is_part_of_the_state_and_is_not_judged_again() {
    let first = apply(None, event(0, "0", Some(1), 1, &[20.0, 999.0])).next.unwrap();
    let catalogue = Catalogue::environment();
    // By this calibration 999 would be valid.
    let calibration =
        Calibration::from_columns(&catalogue, |name| Some(if name.ends_with("Slope") { 0.01 } else { 0.0 }));
    let again = fold(
        &device(),
        Some(first),
        &event(0, "0", Some(1), 1, &[20.0, 999.0]),
        Some(&calibration),
        &catalogue,
    );
    assert_eq!((again.next, again.accepted, again.skipped), (None, 0, 1));
    assert_eq!(
        again.rejected.iter().map(|(at, rejection)| (*at, rejection.reason)).collect::<Vec<_>>(),
        [(1, Reason::OutOfRange)]
    );
}

#[test]
fn a_device_of_which_everything_is_rejected_has_a_state_for_the_verdict_only() {
    let rejected = apply(None, event(0, "0", Some(1), 1, &[999.0])).next.unwrap();
    assert_eq!((rejected.count, rejected.is_heard(), rejected.reported.clone()), (0, false, None));
    let without_sequence = apply(None, event(0, "0", None, 1, &[999.0]));
    assert_eq!((without_sequence.next, without_sequence.rejected.len()), (None, 1));
}

#[test]
fn a_verdict_is_forgotten_when_the_hub_has_gone_on() {
    let first = apply(None, event(0, "0", Some(1), 1, &[999.0])).next.unwrap();
    let same = apply(
        Some(&first),
        event(1, "0", Some(1), 1, &[999.0]).into_iter().chain(event(2, "0", Some(2), 1, &[1.0])).collect(),
    );
    assert!(!same.next.unwrap().verdicts.is_empty(), "the delivery may yet fail");
    let behind = apply(Some(&first), event(1, "0", Some(2), 1, &[1.0]));
    assert!(behind.next.unwrap().verdicts.is_empty());
}

#[test]
fn verdicts_that_fit_no_row_are_written_in_turns() {
    // The last one of an event's readings takes as much room as all of them.
    let last = |n: i64| Arrival { index: 19_999, ..event(0, "0", Some(n), n, &[999.0]).remove(0) };
    let arrivals: Vec<Arrival> =
        (0_i64..12).map(|n| Arrival { event: usize::try_from(n).unwrap(), ..last(n) }).collect();
    let (mut state, mut from, mut rejected) = (None, 0, 0);
    let mut turns = 0;
    while from < arrivals.len() {
        let folded = fold(&device(), state.clone(), &arrivals[from..], None, &Catalogue::environment());
        (from, rejected, turns) = (from + folded.arrivals_used, rejected + folded.rejected.len(), turns + 1);
        let next = folded.next.unwrap();
        assert!(next.verdicts.packed_length() < 32 * 1024, "half of the packed column");
        state = Some(next);
    }
    assert_eq!((rejected, turns), (12, 2));
}

#[test]
fn validity_is_judged_after_calibration() {
    let catalogue = Catalogue::environment();
    let calibration =
        Calibration::from_columns(&catalogue, |name| Some(if name.ends_with("Slope") { 2.0 } else { 1.0 }));
    let arrivals = [event(0, "0", Some(1), 1, &[39.0]), event(1, "0", Some(2), 2, &[45.0])].concat();
    let folded = fold(&device(), None, &arrivals, Some(&calibration), &catalogue);
    assert_eq!(folded.rejected.len(), 1);
    let next = folded.next.unwrap();
    assert_eq!((temperature(&next), next.calibration.as_str()), (79.0, calibration.version()));
}

#[test]
fn a_value_that_stays_the_same_is_reported_but_not_changed() {
    let first = apply(None, event(0, "0", Some(1), 100, &[20.0])).next.unwrap();
    let second = apply(Some(&first), event(0, "0", Some(2), 200, &[20.0])).next.unwrap();
    assert_eq!((second.reported.clone().unwrap().at, second.changed_at), (Millis(200), Some(Millis(100))));
    let third = apply(Some(&second), event(0, "0", Some(3), 300, &[21.0])).next.unwrap();
    assert_eq!(third.changed_at, Some(Millis(300)));
}

#[test]
fn texts_are_valid_by_their_list_and_neither_they_nor_flags_are_calibrated() {
    let catalogue = Catalogue::parse(
        r#"{"measurements":[
            {"name":"door","kind":"text","spellings":["door"],"values":["open","closed"],"column":"Door"},
            {"name":"alarm","kind":"flag","spellings":["alarm"],"column":"Alarm"}]}"#,
    )
    .unwrap();
    let calibration = Calibration::from_columns(&catalogue, |_| Some(2.0));
    let said = |number: usize, door: &str| {
        let mut arrival = event(number, "0", i64::try_from(number).ok(), 1, &[0.0]).remove(0);
        arrival.reading.raw = vec![(0, door.into()), (1, true.into())];
        arrival
    };
    let folded = fold(&device(), None, &[said(1, "open"), said(2, "ajar")], Some(&calibration), &catalogue);
    assert_eq!(folded.rejected.len(), 1);
    let (at, rejection) = &folded.rejected[0];
    assert_eq!((*at, rejection.reason), (1, Reason::OutOfRange));
    assert_eq!(rejection.detail, r#"door is "ajar", valid is "open", "closed""#);
    let values: Vec<_> =
        folded.next.unwrap().values.into_iter().flatten().map(|latest| latest.value).collect();
    assert_eq!(values, [Measured::from("open"), Measured::Flag(true)]);
}

/// Streams of two partitions: for each event a time and its temperatures, some of them out of range.
fn streams() -> impl Strategy<Value = Vec<Vec<(i64, Vec<f64>)>>> {
    let event = (0_i64..1_000, proptest::collection::vec(-60.0..100.0, 1..4));
    proptest::collection::vec(proptest::collection::vec(event, 0..12), 2)
}

fn batch(streams: &[Vec<(i64, Vec<f64>)>], partition: usize, range: std::ops::Range<usize>) -> Vec<Arrival> {
    let events = range.filter_map(|at| streams[partition].get(at).map(|(time, values)| (at, time, values)));
    events
        .flat_map(|(at, time, values)| {
            event(at, PARTITIONS[partition], i64::try_from(at).ok(), *time, values)
        })
        .collect()
}

/// Everything but the number of writes and which verdicts could be forgotten on the way.
fn essence(state: &DeviceState) -> DeviceState {
    DeviceState { version: 0, verdicts: Default::default(), ..state.clone() }
}

proptest! {
    #[test]
    fn no_order_and_no_split_of_batches_changes_the_result(
        streams in streams(),
        cuts in proptest::collection::vec((0_usize..2, 0_usize..12), 0..24),
    ) {
        let mut whole = None;
        for partition in 0..2 {
            let folded = apply(whole.as_ref(), batch(&streams, partition, 0..12));
            whole = folded.next.or(whole);
        }
        // Each partition is delivered in order up to a growing end, from any earlier start: overlaps, no gaps.
        let mut pieces: Option<DeviceState> = None;
        let mut ends = [0, 0];
        for (partition, start) in cuts.into_iter().chain([(1, 0), (0, 0)]) {
            let end = if start == 0 { 12 } else { (ends[partition] + 3).min(12) };
            let batch = batch(&streams, partition, start.min(ends[partition])..end);
            ends[partition] = ends[partition].max(end);
            let folded = apply(pieces.as_ref(), batch);
            pieces = folded.next.or(pieces);
        }
        prop_assert_eq!(whole.as_ref().map(essence), pieces.as_ref().map(essence));
    }
}
