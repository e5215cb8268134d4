//! What a catalogue accepts, and how it names the entry that is broken.

use super::paths::Target;
use super::{Catalogue, CatalogueError};

fn error_of(entries: &str) -> String {
    let json = format!(r#"{{"measurements":[{entries}]}}"#);
    Catalogue::parse(&json).expect_err("the catalogue is broken").to_string()
}

fn position_of(catalogue: &Catalogue, spelling: &str) -> Option<usize> {
    match catalogue.paths().place(catalogue.paths().place_named(spelling)?).target {
        Target::Measurement(at) => Some(usize::from(at)),
        _ => None,
    }
}

#[test]
fn the_environment_knows_every_spelling_of_the_predecessor() {
    let catalogue = Catalogue::environment();
    let name_of =
        |spelling| position_of(&catalogue, spelling).map(|at| catalogue.measurements()[at].name.as_str());
    for (spelling, name) in [
        ("temperature", "temperature"),
        ("Temperature", "temperature"),
        ("Celsius", "temperature"),
        ("humidity", "humidity"),
        ("Humidity", "humidity"),
        ("pressure", "pressure"),
        ("Pressure", "pressure"),
        ("hPa", "pressure"),
        ("HPa", "pressure"),
        ("light", "light"),
        ("Light", "light"),
    ] {
        assert_eq!(name_of(spelling), Some(name), "{spelling}");
    }
    assert_eq!(name_of("celsius"), None);
}

#[test]
fn ranges_include_their_ends() {
    let catalogue = Catalogue::environment();
    let temperature = &catalogue.measurements()[0];
    assert!(temperature.accepts(&(-40.0).into()) && temperature.accepts(&(80.0).into()));
    assert!(!temperature.accepts(&(-40.001).into()) && !temperature.accepts(&(80.001).into()));
    assert!(!temperature.accepts(&f64::NAN.into()) && !temperature.accepts(&(f64::INFINITY).into()));
    assert_eq!(temperature.range(), "-40 to 80 °C");
}

#[test]
fn a_rig_needs_no_code() {
    let rig = r#"{"measurements":[
        {"name":"revolutions","spellings":["rpm"],"unit":"1/min","column":"Revolutions","min":0},
        {"name":"angle","spellings":["angle"],"unit":"°","column":"Angle","min":-180,"max":180}]}"#;
    let catalogue = Catalogue::parse(rig).unwrap();
    assert_eq!(position_of(&catalogue, "rpm"), Some(0));
    assert_eq!(position_of(&catalogue, "temperature"), None);
}

#[test]
fn a_broken_entry_is_named() {
    let good = r#"{"name":"a","spellings":["a"],"column":"A"}"#;
    for (entries, expected) in [
        (r#"{"spellings":["a"],"column":"A"}"#, r#"measurement "number 1": missing field `name`"#),
        (
            r#"{"name":"a","spellings":[],"column":"A"}"#,
            r#"measurement "a": it has no spelling, so it could never arrive"#,
        ),
        (
            r#"{"name":"a","spellings":["Id"],"column":"A"}"#,
            r#"measurement "a": the spelling "Id" is taken by a fixed field of a reading"#,
        ),
        (
            r#"{"name":"a","spellings":["a"],"column":"A","min":2,"max":1}"#,
            r#"measurement "a": min is greater than max"#,
        ),
        (
            r#"{"name":"a","spellings":["a"],"column":"Count"}"#,
            r#"measurement "a": the column "Count" is not a free column name (letters, digits, _)"#,
        ),
    ] {
        assert_eq!(error_of(entries), expected);
    }
    assert_eq!(
        error_of(&format!(r#"{good},{{"name":"b","spellings":["a"],"column":"B"}}"#)),
        r#"measurement "b": the spelling "a" is used twice"#
    );
    assert!(
        error_of(&format!(r#"{good},{{"name":"b","spellings":["b"],"column":"A"}}"#))
            .contains("column \"A\" is used twice")
    );
    assert!(matches!(Catalogue::parse("{"), Err(CatalogueError::Unreadable(_))));
    assert!(matches!(Catalogue::parse(r#"{"measurements":[]}"#), Err(CatalogueError::Unreadable(_))));
}
