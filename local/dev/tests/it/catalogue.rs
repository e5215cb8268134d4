//! `cargo dev catalogue check`: what a body becomes, for people and for scripts. The examples of the manual are among them.

use std::{fs, path::Path};

use crate::program::{self, Ended};

fn check(arguments: &[&str]) -> Ended {
    program::run(&[&["catalogue", "check"], arguments].concat())
}

#[test]
fn the_built_in_catalogue_says_what_a_body_becomes() {
    let ended = check(&[
        "--device",
        "sensor-7",
        "--body",
        r#"{"temperature":71.6,"unit":"F","geo":"Perth","messageId":9,"time":"2026-11-28T10:00:00Z"}"#,
    ]);
    let expected = "1: a reading of sensor-7\n   temperature      22 °C";
    assert!(ended.stdout.starts_with(expected), "{}", ended.stdout);
    for line in [
        "   geo              Perth\n",
        "   message id       9\n",
        "   measured at      2026-11-28T10:00:00.000Z\n",
    ] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn what_is_rejected_is_explained_and_ends_with_a_code_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let body = folder.path().join("body.json");
    fs::write(&body, r#"[{"light":1,"ts":5},{"temp":1},{"pressure":102230}]"#).expect("a file");
    let ended = check(&["--body", &format!("@{}", body.display())]);
    assert_eq!(ended.code, Some(1));
    for line in [
        "1: a reading of device-1\n   light            1\n   measured at      ignored:",
        "2: rejected as nothing_known: nothing in it is known, its members are \"temp\"",
        "3: rejected as out_of_range, if no calibration changes it: pressure is 102230, valid is 600 to 1600 hPa; if it \
         is in Pa",
    ] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
}

#[test]
fn a_broken_catalogue_and_a_missing_file_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("telemetry.json");
    fs::write(&file, r#"{"measurements":[{"name":"a","spellings":["/~"],"column":"A"}]}"#).expect("a file");
    let path = file.display().to_string();
    let complaint = check(&[&path, "--body", "{}"]).complaint().to_owned();
    assert!(complaint.contains("is no catalogue") && complaint.contains("measurement \"a\""), "{complaint}");
    let missing = check(&["--body", &format!("@{path}.none")]);
    assert!(missing.complaint().contains("telemetry.json.none cannot be read"), "{}", missing.stderr);
}

#[test]
fn the_manuals_example_works() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/telemetry.md"))
        .expect("the manual");
    let (_, rest) = page.split_once("```json\n").expect("a catalogue");
    let (catalogue, rest) = rest.split_once("```").expect("its end");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("telemetry.json");
    fs::write(&file, catalogue).expect("a file");
    let (table, _) = rest.split_once("\n## ").expect("the next chapter");
    let rows: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.trim_end_matches(" |").split_once("` | "))
        .collect();
    assert!(rows.len() >= 10, "{rows:?}");
    for (body, becomes) in rows {
        let ended = check(&[&file.display().to_string(), "--body", body]);
        assert_eq!(ended.stderr, "", "{body}");
        let said = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let parts: Vec<&str> = match becomes {
            "a reading without values" => {
                assert_eq!(said, "1: a reading of device-1", "{body}");
                continue;
            }
            becomes => becomes.split(", ").collect(),
        };
        for part in &parts {
            assert!(said.contains(part), "{body} becomes {said}, not {part}");
        }
        let lines = if becomes.starts_with("rejected") { 0 } else { 1 + parts.len() };
        assert!(lines == 0 || ended.stdout.lines().count() == lines, "{body} becomes {}", ended.stdout);
    }
}
