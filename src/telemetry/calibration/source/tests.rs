//! A calibration that cannot be read is not absent, wherever it is kept.

use std::time::Duration;

use fieldcast_tables::{Entity, MemoryStore};

use super::*;
use crate::store::shard::Shards;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// What becomes of 20 °C, and what is said.
fn twenty(rows: Vec<Row>) -> (Vec<(String, Option<f64>)>, Vec<String>) {
    let mut problems = Problems::default();
    let calibrations = of_rows(rows, &Catalogue::environment(), &mut problems);
    let apply = |(device, calibration): (DeviceId, Calibration)| {
        (device.to_string(), calibration.apply(0, 20.0).ok())
    };
    let mut values: Vec<_> = calibrations.into_iter().map(apply).collect();
    values.sort_by(|one, other| one.0.cmp(&other.0));
    (values, problems.lines)
}

fn cells(device: &str, slope: impl Into<Value>, intercept: impl Into<Value>) -> Row {
    let entity = Entity::new("Sydney", device)
        .with("TemperatureSlope", slope)
        .with("TemperatureYIntercept", intercept);
    of_table(&Stored { etag: fieldcast_tables::Etag::new("\"1\"").unwrap(), entity, timestamp: None })
}

const UNREADABLE: &str = "TemperatureSlope and TemperatureYIntercept must both be finite numbers: readings with \
                          temperature are rejected until they are";

#[test]
fn a_number_is_read_from_any_cell_that_holds_one() {
    let rows = vec![
        cells("a", "1.5", " -1 "),
        cells("b", 2_i32, 1_i64),
        cells("c", 1.5, "1e0"),
        cells("d", "1,5", 0.0),
        cells("e", "", 0.0),
        cells("f", "NaN", 0.0),
        cells("g", true, 0.0),
    ];
    let (values, said) = twenty(rows);
    let values: Vec<Option<f64>> = values.into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [Some(29.0), Some(41.0), Some(31.0), None, None, None, None]);
    assert_eq!(said[0], format!("calibration of \"d\": {UNREADABLE}"));
    assert_eq!(said.len(), 4);
}

#[test]
fn entries_of_a_file_follow_the_same_rule_and_a_broken_file_says_where() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calibration.json");
    assert_eq!(read_file(&path).unwrap().len(), 0, "it need not exist");
    std::fs::write(
        &path,
        r#"{"a":{"TemperatureSlope":"2","TemperatureYIntercept":1},"b":{"TemperatureSlope":"two","TemperatureYIntercept":1},
            "c":{"TemperatureSlope":2,"TemperatureYIntercept":null},"d":5,"e\tf":{},"g":{"Note":"roof"}}"#,
    )
    .unwrap();
    let (values, said) = twenty(read_file(&path).unwrap());
    let value = |name: &str, value| (name.to_owned(), value);
    let expected = [
        value("a", Some(41.0)),
        value("b", None),
        value("c", Some(20.0)),
        value("d", None),
        value("g", Some(20.0)),
    ];
    assert_eq!(values, expected);
    assert_eq!(said[0], format!("calibration of \"b\": {UNREADABLE}"));
    let half =
        "of TemperatureSlope and TemperatureYIntercept only one is there: temperature is not corrected";
    assert_eq!(said[1], format!("calibration of \"c\": {half}"));
    assert!(said.last().unwrap().starts_with("calibration of \"e\\tf\": it is passed over"), "{said:?}");
    std::fs::write(&path, "{\"a\":{\n\"TemperatureSlope\":}}").unwrap();
    let error = crate::primitives::chain::chain(&read_file(&path).err().unwrap());
    assert!(error.contains("calibration.json: ") && error.contains("line 2"), "{error}");
}

#[test]
fn many_broken_rows_are_a_few_lines() {
    let mut problems = Problems::default();
    let rows = (0..1_000).map(|n| cells(&format!("d{n}"), "?", 0.0)).collect();
    of_rows(rows, &Catalogue::environment(), &mut problems);
    assert_eq!((problems.lines.len(), problems.more), (20, 980));
}

#[tokio::test(start_paused = true)]
async fn rows_of_the_table_are_read_alike() {
    let store = Arc::new(Store::new(Arc::new(MemoryStore::new()), Shards::new("Sydney", 1)));
    let row = Entity::new("Sydney", "a").with("TemperatureSlope", "warm").with("TemperatureYIntercept", 0.0);
    store.table(tables::CALIBRATION, soon()).await.unwrap().insert(&row, Deadline::at(soon())).await.unwrap();
    let source = CalibrationSource::table(store, Arc::new(Catalogue::environment()));
    let calibrations = source.read(soon()).await.unwrap();
    assert!(calibrations[&DeviceId::parse("a").unwrap()].apply(0, 20.0).is_err());
}
