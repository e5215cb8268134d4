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

#[test]
fn a_broken_spelling_kind_or_unit_is_named() {
    for (entry, expected) in [
        (r#""spellings":["/a~2"]"#, "is no JSON pointer"),
        (r#""spellings":[5]"#, "a spelling is a text or"),
        (r#""spellings":[{"scale":2}]"#, "a spelling with a conversion needs a path"),
        (r#""spellings":[{"path":"a","factor":2}]"#, "unknown field `factor`"),
        (r#""spellings":[{"path":"a","scale":0}]"#, "scale must be a finite number other than 0"),
        (r#""spellings":["a","a.b"]"#, r#"the path "a.b" leads through "a", which is a spelling"#),
        (r#""spellings":["a.b","a"]"#, r#"the spelling "a" is the beginning of another path"#),
        (r#""spellings":["a","/a"]"#, r#"the spelling "/a" is used twice"#),
        (r#""spellings":["a"],"unitMember":"u""#, "unitMember needs units"),
        (
            r#""spellings":["a"],"unitMember":["u","u"],"units":{"m":{}}"#,
            r#"the unitMember "u" is there twice"#,
        ),
        (r#""spellings":["a"],"unitMember":"a","units":{"m":{}}"#, r#"the spelling "a" is used twice"#),
        (r#""spellings":["a"],"units":{"m":{"factor":2}}"#, "unknown field `factor`"),
        (
            r#""spellings":["a"],"units":{"m":{},"M":{}}"#,
            r#"the unit "m" is empty, has space around it, or is there twice"#,
        ),
        (r#""spellings":["a"],"kind":"date""#, "unknown variant `date`"),
        (r#""spellings":["a"],"kind":"text","min":1"#, "min is for numbers, and it is none"),
        (
            r#""spellings":["a"],"kind":"flag","calibration":{"slope":"S","intercept":"I"}"#,
            "calibration is for numbers",
        ),
        (r#""spellings":[{"path":"a","scale":2}],"kind":"text""#, "scale or offset is for numbers"),
        (r#""spellings":["a"],"kind":"text","values":[1]"#, "the value 1 is not a text"),
        (r#""spellings":["a"],"kind":"text","values":["x","x"]"#, r#"the value "x" is there twice"#),
        (
            r#""spellings":["a"],"kind":"flag","values":["on"]"#,
            "values of a flag are two different texts or numbers",
        ),
        (r#""spellings":["a"],"values":["on"]"#, "values are for texts and flags"),
    ] {
        let error = error_of(&format!(r#"{{"name":"a","column":"A",{entry}}}"#));
        assert!(error.starts_with(r#"measurement "a": "#) && error.contains(expected), "{entry}: {error}");
    }
}

#[test]
fn a_broken_list_is_named() {
    let many: Vec<String> = (0..201).map(|n| format!("\"w{n}\"")).collect();
    for (members, expected) in [
        (
            r#""wrappers":["a"]"#.to_owned(),
            r#"wrappers: the path "a" leads through "a", which is a spelling"#,
        ),
        (r#""wrappers":["w","w"]"#.to_owned(), r#"wrappers: "w" is there twice"#),
        (r#""wrappers":["/~"]"#.to_owned(), "wrappers: \"/~\" is no JSON pointer"),
        (format!(r#""wrappers":[{}]"#, many.join(",")), "wrappers: 201 entries, at most 200 are taken"),
        (
            r#""wrappers":["w"],"ignored":["/w/a"]"#.to_owned(),
            r#"wrappers: "a" is a spelling, and the beginning or end"#,
        ),
        (r#""time":["a"]"#.to_owned(), r#"time: the spelling "a" is used twice"#),
        (r#""ignored":["geo"]"#.to_owned(), r#"ignored: the spelling "geo" is used twice"#),
        (r#""geo":["a.b"]"#.to_owned(), r#"geo: the path "a.b" leads through "a", which is a spelling"#),
        (r#""pairs":[{"name":"n","value":"n"}]"#.to_owned(), r#"pairs: "n" is there twice"#),
        (
            r#""wrappers":["n"],"pairs":[{"name":"n","value":"v"}]"#.to_owned(),
            r#"pairs: "n" is the beginning of a path"#,
        ),
        (r#""pairs":[{"name":"n"}]"#.to_owned(), "missing field `value`"),
        (r#""wrapper":[]"#.to_owned(), "unknown field `wrapper`"),
    ] {
        let json = format!(r#"{{{members},"measurements":[{{"name":"a","spellings":["a"],"column":"A"}}]}}"#);
        let error = Catalogue::parse(&json).expect_err(&json).to_string();
        assert!(error.starts_with(expected) || error.contains(expected), "{json}: {error}");
    }
    let entries: Vec<String> =
        (0..201).map(|n| format!(r#"{{"name":"m{n}","spellings":["m{n}"],"column":"M{n}"}}"#)).collect();
    assert_eq!(error_of(&entries.join(",")), "201 measurements, expected 1 to 200");
}
