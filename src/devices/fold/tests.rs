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
        enqueued_at: Some(Millis(at)),
        at: Millis(at),
        measured_at: None,
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
        Watermark { sequence: 8, enqueued_at: Some(Millis(200)), began: Some(Millis(100)), at: Millis(200) }
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
fn a_value_whose_calibration_cannot_be_read_is_rejected_and_not_counted_raw() {
    let catalogue = Catalogue::environment();
    let calibration = Calibration::from_columns(&catalogue, |name| match name {
        "TemperatureSlope" => Some(f64::NAN),
        _ => None,
    });
    let arrivals = event(0, "0", Some(1), 1, &[39.0]);
    let folded = fold(&device(), None, &arrivals, Some(&calibration), &catalogue);
    assert_eq!((folded.accepted, folded.rejected.len()), (0, 1));
    assert_eq!(folded.rejected[0].1.reason, Reason::Calibration);
    let state = folded.next.unwrap();
    assert!(state.verdicts.is_rejected(&arrivals[0].position.partition, Some(1), 0), "decided once");
    // Mended before the second delivery: it stays rejected, and has to be sent again.
    let again = fold(&device(), Some(state), &arrivals, None, &catalogue);
    assert_eq!((again.accepted, again.rejected.len()), (0, 1));
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

/// The sample of an Event Hub that was deleted and made again under its name, and what a second delivery of each half does.
#[test]
fn a_hub_that_was_made_again_counts_from_its_first_event_and_once() {
    const DAY: i64 = 86_400_000;
    let events = |first: i64, time: i64| -> Vec<Arrival> {
        let numbered = (first..first + 3).zip(0..);
        numbered.flat_map(|(n, at)| event(at, "0", Some(n), time + n % 10 * 1_000, &[20.0])).collect()
    };
    let (old, new) = (events(5_001, DAY), events(0, 2 * DAY));
    let both = [old.clone(), new.clone()].concat();
    let orders = [vec![&old, &new], vec![&new, &old], vec![&both], vec![&old, &new, &old, &new, &both]];
    let results: Vec<DeviceState> = orders
        .map(|batches| {
            let fold = |state: Option<DeviceState>, batch: &Vec<Arrival>| {
                let folded = apply(state.as_ref(), batch.clone());
                folded.next.or(state)
            };
            batches.into_iter().fold(None, fold).unwrap()
        })
        .into();
    for state in results.clone() {
        // In which order values changed depends on the order in which they came.
        let state = DeviceState { changed_at: results[0].changed_at, ..state };
        assert_eq!((state.count, essence(&state)), (6, essence(&results[0])));
        assert_eq!(state.reported.as_ref().unwrap().at, Millis(2 * DAY + 2_000));
    }
    let shifted = apply(Some(&apply(None, old).next.unwrap()), new);
    assert!(shifted.is_new_stream);
}

#[test]
fn an_event_whose_time_nobody_said_is_known_by_its_number_alone() {
    let untimed = |n, at| Arrival { enqueued_at: None, ..event(0, "0", Some(n), at, &[20.0]).remove(0) };
    let first = apply(None, vec![untimed(7, 1_000_000)]).next.unwrap();
    let again = apply(Some(&first), vec![untimed(7, 9_000_000_000)]);
    assert_eq!((again.next, again.skipped), (None, 1));
}

#[test]
fn verdicts_of_the_stream_before_are_not_taken_for_those_of_the_new_one() {
    const HOUR: i64 = 3_600_000;
    let first = apply(None, event(0, "0", Some(4), 0, &[999.0])).next.unwrap();
    let anew = [event(0, "0", Some(3), HOUR, &[20.0]), event(1, "0", Some(4), HOUR, &[21.0])].concat();
    let second = apply(Some(&first), anew.clone()).next.unwrap();
    assert_eq!(second.count, 2);
    let again = apply(Some(&second), anew);
    assert_eq!((again.skipped, again.rejected.len()), (2, 0));
    let late = apply(Some(&second), event(0, "0", Some(4), 0, &[999.0]));
    assert_eq!((late.skipped, late.rejected.len()), (0, 1));
}

#[test]
fn a_backlog_does_not_overwrite_what_was_measured_later() {
    let said = |n, at, measured, value| Arrival {
        measured_at: Some(Millis(measured)),
        ..event(0, "0", Some(n), at, &[value]).remove(0)
    };
    let live = apply(None, vec![said(1, 1_000, 990, 30.0)]).next.unwrap();
    let late = apply(Some(&live), vec![said(2, 2_000, 10, 4.0)]).next.unwrap();
    assert_eq!((late.count, temperature(&late)), (2, 30.0));
    let times =
        |state: &DeviceState| (state.reported.as_ref().unwrap().at, state.measured.as_ref().unwrap().at);
    assert_eq!(times(&late), (Millis(2_000), Millis(990)));
    // A reading without a clock of its own was measured when the hub took it.
    let plain = apply(Some(&late), event(0, "0", Some(3), 3_000, &[5.0])).next.unwrap();
    assert_eq!((temperature(&plain), times(&plain)), (5.0, (Millis(3_000), Millis(3_000))));
}

/// One event: how much later than the one before it was enqueued, what its own clock said, relative to that, and its
/// temperatures, some of them out of range.
#[derive(Clone, Debug)]
struct Said {
    step: i64,
    measured: Option<i64>,
    temperatures: Vec<f64>,
}

/// A partition's log: sequence number, enqueued time, event. The hub is made again once, two minutes later.
type Log = Vec<(i64, i64, Said)>;

fn logs() -> impl Strategy<Value = Vec<Log>> {
    let said = (
        -60_000_i64..200_000,
        proptest::option::of(-500_000_i64..300_000),
        proptest::collection::vec(-60.0..100.0, 1..4),
    );
    let said = said.prop_map(|(step, measured, temperatures)| Said { step, measured, temperatures });
    let hub = || proptest::collection::vec(said.clone(), 0..8);
    let log = (hub(), hub()).prop_map(|(first, second)| {
        let mut log = Log::new();
        let mut latest = 1_000_000_000_i64;
        for said_by_hub in [first, second] {
            let (begin, mut now) = (latest, latest);
            for (sequence, said) in (0..).zip(said_by_hub) {
                // The clock never stands more than a minute behind what it has once shown.
                now = (now + said.step).max(latest - 60_000).max(begin);
                latest = latest.max(now);
                log.push((sequence, now, said));
            }
            latest += 121_000;
        }
        log
    });
    proptest::collection::vec(log, 2)
}

fn batch(logs: &[Log], partition: usize, range: std::ops::Range<usize>) -> Vec<Arrival> {
    let events = range.filter_map(|at| Some((at, logs[partition].get(at)?)));
    let arrivals = |(at, (sequence, now, said)): (usize, &(i64, i64, Said))| {
        let measured_at = said.measured.map(|offset| Millis(now + offset));
        let arrivals = event(at, PARTITIONS[partition], Some(*sequence), *now, &said.temperatures);
        arrivals.into_iter().map(move |arrival| Arrival { measured_at, ..arrival })
    };
    events.flat_map(arrivals).collect()
}

/// Everything but the number of writes and which verdicts could be forgotten on the way.
fn essence(state: &DeviceState) -> DeviceState {
    DeviceState { version: 0, verdicts: Default::default(), ..state.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_order_and_no_split_of_batches_changes_the_result(
        logs in logs(),
        cuts in proptest::collection::vec((0_usize..2, 0_usize..16), 0..24),
    ) {
        let mut whole = None;
        for partition in 0..2 {
            let folded = apply(whole.as_ref(), batch(&logs, partition, 0..16));
            whole = folded.next.or(whole);
        }
        let valid = |(_, _, said): &(i64, i64, Said)| {
            said.temperatures.iter().filter(|value| (-40.0..=80.0).contains(*value)).count()
        };
        let expected = logs.iter().flatten().map(valid).sum::<usize>();
        prop_assert_eq!(whole.as_ref().map_or(0, |state| state.count), i64::try_from(expected).unwrap());
        // Each partition is delivered in order up to a growing end, from any earlier start: overlaps, no gaps.
        let mut pieces: Option<DeviceState> = None;
        let mut ends = [0, 0];
        for (partition, start) in cuts.into_iter().chain([(1, 0), (0, 0)]) {
            let end = if start == 0 { 16 } else { (ends[partition] + 3).min(16) };
            let batch = batch(&logs, partition, start.min(ends[partition])..end);
            ends[partition] = ends[partition].max(end);
            let folded = apply(pieces.as_ref(), batch);
            pieces = folded.next.or(pieces);
        }
        prop_assert_eq!(whole.as_ref().map(essence), pieces.as_ref().map(essence));
    }
}
