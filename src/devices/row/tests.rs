//! Rows hold everything that exactness needs, and rows of earlier versions are understood.

mod cells;

use fieldcast_tables::Etag;

use super::*;
use crate::devices::state::{Watermark, WriteId};

fn stamp(at: i64, partition: &str) -> Stamp {
    Stamp { at: Millis(at), partition: HubPartition::new("hub", partition) }
}

fn device() -> DeviceId {
    DeviceId::parse("sensor-1").unwrap()
}

/// The row as the store gives it back.
fn stored(columns: Vec<(String, Value)>) -> Stored {
    Stored {
        etag: Etag::new("W/\"1\"").unwrap(),
        entity: Entity::of_distinct("Sydney", "sensor-1", columns),
        timestamp: Some("1970-01-01T00:00:05Z".to_owned()),
    }
}

fn read(columns: Vec<(String, Value)>) -> Result<DeviceState, RowError> {
    state(device(), &stored(columns), &Catalogue::environment())
}

fn column(name: &str, value: impl Into<Value>) -> (String, Value) {
    (name.to_owned(), value.into())
}

fn full_state() -> DeviceState {
    let mut state = DeviceState::new(device(), &Catalogue::environment());
    state.values[0] = Some(Latest { value: 25.0.into(), stamp: stamp(200, "0") });
    state.values[2] = Some(Latest { value: 40.5.into(), stamp: stamp(100, "1") });
    state.geo = Some(Latest { value: "Sydney".to_owned(), stamp: stamp(100, "1") });
    state.message_id = Some(Latest { value: "7".to_owned(), stamp: stamp(200, "0") });
    let watermark = Watermark {
        sequence: i64::MAX,
        enqueued_at: Some(Millis(190)),
        began: Some(Millis(9)),
        at: Millis(200),
    };
    state.watermarks = [(HubPartition::new("hub", "0"), watermark)].into_iter().collect();
    state.verdicts.reject(&HubPartition::new("hub", "0"), i64::MAX, 3);
    state.reported = Some(stamp(200, "0"));
    state.measured = state.reported.clone();
    state.changed_at = Some(Millis(150));
    (state.count, state.version) = (i64::MAX, 9);
    (state.write_id, state.calibration) = (WriteId { invocation: 1, from: 2 }, "c".to_owned());
    state
}

#[test]
fn a_state_survives_the_row() {
    let state = full_state();
    let columns = columns(&state, &Catalogue::environment());
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let plain = ["Celsius", "Humidity", "Geo", "Id", "DeviceId", "Count", "Schema"];
    let expected = [&plain[..], &["Watermarks", "Ledger", "ReportedAt"]].concat();
    assert_eq!(names, expected, "what people read, and one column for what they do not");
    assert_eq!(read(columns), Ok(state));
}

/// Version 0.1.0 read its watermarks as JSON, and took for damaged what is none.
#[test]
fn version_0_1_0_takes_a_row_for_damaged_and_not_for_new() {
    let columns = columns(&full_state(), &Catalogue::environment());
    let (_, watermarks) = columns.iter().find(|(name, _)| name == "Watermarks").unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(watermarks.as_str().unwrap()).is_err());
}

#[test]
fn a_row_of_the_python_predecessor_is_understood() {
    let row = vec![
        column("DeviceId", "sensor-1"),
        column("Celsius", 21.5),
        column("hPa", 1013_i32),
        column("Geo", "Sydney"),
        column("Id", "41"),
        column("Count", 41_i64),
        column("Schema", 1_i32),
    ];
    let state = read(row).unwrap();
    assert_eq!((state.count, state.version, state.watermarks.len()), (41, 0, 0));
    assert_eq!(state.values[1].as_ref().unwrap().value, 1013.0);
    assert_eq!(state.reported.as_ref().unwrap().at, Millis(5_000), "when the store wrote it");
}

fn row_of_0_1_0() -> Vec<(String, Value)> {
    vec![
        column("Celsius", 25.0),
        column("Humidity", 40.5),
        column("Geo", "Sydney"),
        column("Id", "7"),
        column("OlderValues", r#"{"Geo":[100,"hub/1"],"Humidity":[100,"hub/1"]}"#),
        column("DeviceId", "sensor-1"),
        column("Count", i64::MAX),
        column("Version", 9_i64),
        column("Schema", 2_i64),
        column("WriteId", "000000000000002a-0"),
        column("CalibrationVersion", "c"),
        column("Watermarks", r#"{"hub/0":[9223372036854775807,200]}"#),
        column("RefusedReadings", r#"{"hub/0":[[9223372036854775807,"CA"]]}"#),
        column("ReportedAt", Value::DateTime("1970-01-01T00:00:00.200Z".to_owned())),
        column("ReportedBy", "hub/0"),
        column("ChangedAt", Value::DateTime("1970-01-01T00:00:00.150Z".to_owned())),
        column("Location", "roof"),
    ]
}

#[test]
fn a_row_of_version_0_1_0_is_understood_and_what_others_added_is_kept() {
    let mut expected = full_state();
    expected.write_id = WriteId::default();
    let watermark = Watermark { sequence: i64::MAX, enqueued_at: None, began: None, at: Millis(200) };
    expected.watermarks = [(HubPartition::new("hub", "0"), watermark)].into_iter().collect();
    assert_eq!(read(row_of_0_1_0()), Ok(expected));
    let entity = stored(row_of_0_1_0()).entity;
    assert!(!is_current(&entity), "it is written anew");
    assert_eq!(columns_of_others(&entity, &Catalogue::environment()), [column("Location", "roof")]);
}

#[test]
fn a_row_that_was_written_for_its_verdicts_was_never_heard() {
    let catalogue = Catalogue::environment();
    let mut state = DeviceState::new(device(), &catalogue);
    state.verdicts.reject(&HubPartition::new("hub", "0"), 7, 0);
    assert_eq!(read(columns(&state, &catalogue)), Ok(state));
}

#[test]
fn what_exactness_needs_and_cannot_be_read_is_damage_and_not_forgotten() {
    let with_ledger = |ledger: Option<Value>| {
        let mut columns = columns(&full_state(), &Catalogue::environment());
        columns.retain(|(name, _)| name != "Ledger");
        columns.extend(ledger.map(|value| column("Ledger", value)));
        read(columns).unwrap_err().to_string()
    };
    assert_eq!(with_ledger(None), "column Ledger: it is missing");
    assert_eq!(with_ledger(Some(Value::from("a text"))), "column Ledger: it is neither binary nor base64");
    let cut = with_ledger(Some(Value::Binary(vec![1, 2, 3, 4, 5, 6])));
    assert_eq!(cut, "column Ledger: it is cut off, or somebody changed it");
    let old = read(vec![column("Watermarks", "{")]).unwrap_err().to_string();
    assert!(old.starts_with("column Watermarks: "), "{old}");
    let old = read(vec![column("RefusedReadings", r#"{"hub/0":[[7,"!"]]}"#)]).unwrap_err().to_string();
    assert_eq!(old, "column RefusedReadings: the readings of event 7 are not base64");
}

#[test]
fn texts_and_flags_are_kept_as_what_they_are() {
    let catalogue = Catalogue::parse(
        r#"{"measurements":[
            {"name":"door","kind":"text","spellings":["door"],"column":"Door"},
            {"name":"alarm","kind":"flag","spellings":["alarm"],"column":"Alarm"},
            {"name":"lamp","kind":"flag","spellings":["lamp"],"column":"Lamp"}]}"#,
    )
    .unwrap();
    let mut expected = DeviceState::new(device(), &catalogue);
    expected.values[0] = Some(Latest { value: "open".into(), stamp: stamp(200, "0") });
    expected.values[1] = Some(Latest { value: true.into(), stamp: stamp(200, "0") });
    (expected.reported, expected.count) = (Some(stamp(200, "0")), 1);
    expected.measured = expected.reported.clone();
    let mut written = columns(&expected, &catalogue);
    assert_eq!(written[..2], [column("Door", "open"), column("Alarm", true)]);
    assert_eq!(state(device(), &stored(written.clone()), &catalogue), Ok(expected.clone()));
    let view = serde_json::to_value(expected.view(&catalogue)).unwrap();
    assert_eq!((&view["door"], &view["alarm"], &view["lamp"]), (&"open".into(), &true.into(), &().into()));
    written.push(column("Lamp", "on"));
    assert_eq!(
        state(device(), &stored(written), &catalogue),
        Ok(expected),
        "a cell of another type is no value"
    );
}
