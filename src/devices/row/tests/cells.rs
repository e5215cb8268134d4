//! Rows that people and tools have changed: a cell of another type is read, and what exactness needs is never taken for absent.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// Every type that holds the same value.
fn held_alike(column: &str, value: &Value) -> Vec<Value> {
    let mut alike = vec![value.clone()];
    match value {
        Value::Double(number) => {
            alike.push(Value::String(number.to_string()));
            alike.push(Value::String(format!(" {number:e}\n")));
            if let Some(whole) = value.as_i64() {
                alike.push(Value::Int64(whole));
                alike.extend(i32::try_from(whole).map(Value::Int32));
            }
        }
        Value::Int64(number) => {
            alike.push(Value::String(number.to_string()));
            alike.extend(i32::try_from(*number).map(Value::Int32));
            let double = Value::Double(*number as f64);
            if double.as_i64() == Some(*number) {
                alike.push(double);
                alike.push(Value::String(format!("{number}.0")));
            }
        }
        Value::String(text) if column != "Watermarks" && column != "OlderValues" => {
            if let Some(number) = text.parse::<i64>().ok().filter(|number| number.to_string() == *text) {
                alike.push(Value::Int64(number));
            }
        }
        Value::DateTime(text) => alike.push(Value::String(text.clone())),
        Value::Binary(bytes) => {
            alike.push(Value::String(STANDARD.encode(bytes)));
            alike.push(Value::String(STANDARD_NO_PAD.encode(bytes)));
        }
        _ => {}
    }
    alike
}

fn states() -> impl Strategy<Value = DeviceState> {
    let stamps = || (0_i64..1 << 47, 0_u8..3).prop_map(|(at, partition)| stamp(at, &partition.to_string()));
    let value = (prop_oneof![proptest::num::f64::NORMAL, (-99_i32..99).prop_map(f64::from)], stamps());
    let values = prop::collection::vec(prop::option::of(value), 6);
    let texts = || prop::option::of(("[0-9]{1,5}|[ -~ü€]{0,20}", stamps()));
    let marks = prop::collection::vec((0_u8..3, any::<i64>(), 0_i64..1 << 47), 0..3);
    (values, texts(), texts(), marks, stamps(), 1..=i64::MAX, 0..=i64::MAX).prop_map(
        |(values, geo, id, marks, newest, count, version)| {
            let mut state = DeviceState::new(device(), &Catalogue::environment());
            let latest = |(value, stamp)| Latest { value: Measured::Number(value), stamp };
            let text = |(value, stamp): (String, Stamp)| Latest { value, stamp };
            state.values = values.into_iter().map(|value| value.map(latest)).collect();
            (state.geo, state.message_id) = (geo.map(text), id.map(text));
            for (partition, sequence, at) in marks {
                let mark = Watermark { sequence, enqueued_at: None, began: None, at: Millis(at) };
                state.watermarks.insert(HubPartition::new("hub", &partition.to_string()), mark);
            }
            (state.count, state.version) = (count, version);
            (state.reported, state.measured) = (Some(newest.clone()), Some(newest));
            state
        },
    )
}

fn any_cell() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[ -~]{0,12}".prop_map(Value::String),
        "-?[0-9]{1,3}".prop_map(Value::String),
        any::<f64>().prop_map(Value::Double),
        any::<i32>().prop_map(Value::Int32),
        any::<i64>().prop_map(Value::Int64),
        any::<bool>().prop_map(Value::Bool),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Binary),
        Just(Value::Guid("00000000-0000-0000-0000-000000000000".to_owned())),
    ]
}

proptest! {
    #[test]
    fn a_row_means_the_same_in_whatever_types_its_cells_are(state in states(), choices: [Index; 16]) {
        let mut row = columns(&state, &Catalogue::environment());
        for ((name, value), choice) in row.iter_mut().zip(choices) {
            *value = choice.get(&held_alike(name, value)).clone();
        }
        prop_assert_eq!(read(row), Ok(state));
    }

    #[test]
    fn a_row_of_version_0_1_0_does_so_too(choices: [Index; 20]) {
        let mut row = row_of_0_1_0();
        for ((name, value), choice) in row.iter_mut().zip(choices) {
            *value = choice.get(&held_alike(name, value)).clone();
        }
        prop_assert_eq!(read(row), read(row_of_0_1_0()));
    }

    /// Another number may be written over the count by somebody who means it; nothing else makes it smaller.
    #[test]
    fn whatever_is_in_a_cell_nothing_that_was_counted_is_forgotten(
        old: bool, at: Index, cell in prop::option::of(any_cell()),
    ) {
        let mut row = if old { row_of_0_1_0() } else { columns(&full_state(), &Catalogue::environment()) };
        let at = at.index(row.len());
        let name = row[at].0.clone();
        let means_it = name == "Count" && cell.as_ref().is_some_and(|cell| whole(cell).is_some());
        let means_version = name == "Version" && cell.as_ref().is_none_or(|cell| whole(cell).is_some());
        // Version 0.1.0 wrote no such column where it had nothing to say.
        prop_assume!(!(old && cell.is_none() && ["Watermarks", "RefusedReadings"].contains(&&*name)));
        match cell {
            Some(cell) => row[at].1 = cell,
            None => drop(row.remove(at)),
        }
        let before = if old { read(row_of_0_1_0()).unwrap() } else { full_state() };
        if let Ok(state) = read(row) {
            prop_assert!(means_it || state.count == before.count, "{}", name);
            prop_assert!(means_version || state.version == before.version, "{}", name);
            prop_assert_eq!((state.watermarks, state.verdicts), (before.watermarks, before.verdicts));
        }
    }
}

#[test]
fn a_row_that_a_tool_saved_as_text_is_read() {
    let text = |name: &str, value: &str| column(name, value);
    let row = vec![
        text("Count", "3"),
        text("Version", "3"),
        text("Celsius", "22.0"),
        text("Humidity", "40.0"),
        text("Geo", "Perth WA"),
        text("Watermarks", r#"{"hub/1":[1015,1795912534881]}"#),
        text("Schema", "2"),
    ];
    let state = read(row).unwrap();
    assert_eq!((state.count, state.version, state.watermarks.len()), (3, 3, 1));
    assert_eq!(state.values[2].as_ref().unwrap().value, 40.0);
}

#[test]
fn an_unreadable_count_is_damage_and_a_missing_one_only_in_the_predecessors_row_is_not() {
    let with_count = |row: Vec<(String, Value)>, count: Option<Value>| {
        let mut row: Vec<_> = row.into_iter().filter(|(name, _)| name != "Count").collect();
        row.extend(count.map(|count| column("Count", count)));
        read(row).map(|state| state.count).map_err(|error| error.to_string())
    };
    let current = || columns(&full_state(), &Catalogue::environment());
    let predecessor = || vec![column("Celsius", 21.5), column("Schema", 1_i32)];
    let missing = Err("column Count: it is missing".to_owned());
    assert_eq!(with_count(current(), None), missing);
    assert_eq!(with_count(row_of_0_1_0(), None), missing);
    assert_eq!(with_count(predecessor(), None), Ok(0));
    for row in [current(), row_of_0_1_0(), predecessor()] {
        for unreadable in [Value::from("many"), Value::from(""), Value::Double(1.5), Value::Bool(true)] {
            let expected = Err("column Count: it is not a whole number".to_owned());
            assert_eq!(with_count(row.clone(), Some(unreadable)), expected);
        }
        assert_eq!(with_count(row, Some(Value::Int64(-1))), Err("column Count: it is negative".to_owned()));
    }
}

#[test]
fn strangers_learn_which_column_it_is_and_not_what_it_holds() {
    let error = read(vec![column("Watermarks", "secret")]).unwrap_err();
    let expected =
        "the column Watermarks of this device's row cannot be read; nothing is counted until it is repaired";
    assert_eq!(error.for_strangers(), expected);
}

#[test]
fn an_unreadable_value_is_empty_and_said() {
    let catalogue = Catalogue::environment();
    let row = vec![
        column("Celsius", "warm"),
        column("Humidity", "40"),
        column("Geo", true),
        column("ReportedAt", "yesterday"),
        column("Count", 1_i64),
    ];
    let entity = stored(row.clone()).entity;
    assert_eq!(unread(&entity, &catalogue).collect::<Vec<_>>(), ["Celsius", "Geo", "ReportedAt"]);
    let state = read(row).unwrap();
    assert_eq!((state.count, &state.values[0], &state.geo), (1, &None, &None));
    assert_eq!(unread(&stored(columns(&full_state(), &catalogue)).entity, &catalogue).count(), 0);
}
