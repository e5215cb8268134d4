//! Rows hold everything that exactness needs, and rows of the predecessor are understood.

use super::*;

fn stamp(at: i64, partition: &str) -> Stamp {
    Stamp { at: Millis(at), partition: Partition::new("hub", partition) }
}

fn device() -> DeviceId {
    DeviceId::parse("sensor-1").unwrap()
}

#[test]
fn a_state_survives_the_row() {
    let catalogue = Catalogue::environment();
    let mut state = DeviceState::new(device(), &catalogue);
    state.values[0] = Some(Latest { value: 25.0, stamp: stamp(200, "0") });
    state.values[2] = Some(Latest { value: 40.5, stamp: stamp(100, "1") });
    state.geo = Some(Latest { value: "Sydney".to_owned(), stamp: stamp(100, "1") });
    state.message_id = Some(Latest { value: "7".to_owned(), stamp: stamp(200, "0") });
    state.marks =
        [(Partition::new("hub", "0"), Mark { sequence: i64::MAX, at: Millis(200) })].into_iter().collect();
    state.verdicts.refuse(&Partition::new("hub", "0"), i64::MAX, 3);
    state.reported = Some(stamp(200, "0"));
    state.changed_at = Some(Millis(150));
    (state.count, state.version) = (i64::MAX, 9);
    (state.write_id, state.calibration) = ("w".to_owned(), "c".to_owned());
    let row = to_row(&state, &catalogue);
    assert_eq!(row["Celsius"], Cell::Number(25.0));
    assert_eq!(from_row(device(), &row, Millis(0), &catalogue), Ok(state));
}

#[test]
fn a_row_of_the_python_predecessor_is_upgraded_in_place() {
    let catalogue = Catalogue::environment();
    let row: Row = [
        ("DeviceId", Cell::Text("sensor-1".to_owned())),
        ("Celsius", Cell::Number(21.5)),
        ("hPa", Cell::Whole(1013)),
        ("Geo", Cell::Text("Sydney".to_owned())),
        ("Id", Cell::Text("41".to_owned())),
        ("Count", Cell::Whole(41)),
        ("Schema", Cell::Whole(1)),
    ]
    .map(|(column, cell)| (column.to_owned(), cell))
    .into();
    let state = from_row(device(), &row, Millis(5_000), &catalogue).unwrap();
    assert_eq!((state.count, state.version, state.marks.len()), (41, 0, 0));
    assert_eq!(state.values[1].as_ref().unwrap().value, 1013.0);
    assert_eq!(state.reported.as_ref().unwrap().at, Millis(5_000));
    assert_eq!(to_row(&state, &catalogue)["Schema"], Cell::Whole(2));
}

#[test]
fn a_row_that_was_written_for_its_verdicts_was_never_heard() {
    let catalogue = Catalogue::environment();
    let mut state = DeviceState::new(device(), &catalogue);
    state.verdicts.refuse(&Partition::new("hub", "0"), 7, 0);
    assert_eq!(from_row(device(), &to_row(&state, &catalogue), Millis(5_000), &catalogue), Ok(state));
}

#[test]
fn damaged_watermarks_are_an_error_and_not_forgotten() {
    let row: Row = [("Watermarks".to_owned(), Cell::Text("{".to_owned()))].into();
    let error = from_row(device(), &row, Millis(0), &Catalogue::environment()).unwrap_err();
    assert!(error.to_string().starts_with("column Watermarks: "));
}
