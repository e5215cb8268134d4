//! The developer's `local.settings.json`, and which of its values apply to the local stack.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The file that Azure Functions Core Tools read; it may hold secrets and is never deployed.
pub(crate) const FILE: &str = "local.settings.json";

/// Settings that change how data is handled. Connections are not among them: the local stack must never use the cloud
/// services that the same file may name for `func start`.
const TAKEN_OVER: [&str; 7] = [
    "CalibrationSeconds",
    "DeviceParts",
    "PartitionKey",
    "PartitionShards",
    "PublishMode",
    "RejectedDays",
    "SignalRHub",
];

/// The values of `app`'s file that apply to the local stack; none when there is no such file.
pub(crate) fn overrides(app: &Path) -> Result<BTreeMap<String, String>> {
    values(app, &TAKEN_OVER)
}

/// These values of `app`'s file, if it has them.
pub(crate) fn values(app: &Path, names: &[&str]) -> Result<BTreeMap<String, String>> {
    match fs::read_to_string(app.join(FILE)) {
        Ok(text) => parse(&text, names),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).with_context(|| format!("{FILE} cannot be read")),
    }
}

fn parse(text: &str, names: &[&str]) -> Result<BTreeMap<String, String>> {
    let text = text.trim_start_matches('\u{feff}');
    let file: Value = serde_json::from_str(text).with_context(|| format!("{FILE} is not valid JSON"))?;
    let Some(file) = file.as_object() else { bail!("{FILE} is not a JSON object") };
    if file.get("IsEncrypted") == Some(&Value::Bool(true)) {
        bail!("{FILE} is encrypted: decrypt it with `func settings decrypt`, or move it away");
    }
    let Some(values) = file.get("Values") else {
        return Ok(BTreeMap::new());
    };
    let Some(values) = values.as_object() else { bail!("{FILE}: Values is not a JSON object") };
    let mut taken = BTreeMap::new();
    for name in names {
        match values.get(*name) {
            None => {}
            Some(Value::String(value)) => {
                taken.insert((*name).to_owned(), value.clone());
            }
            Some(_) => bail!("{FILE}: {name} must be text in quotes"),
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_shape_the_data_are_taken_over() -> Result<()> {
        let taken = parse(
            r#"{"IsEncrypted":false,"Values":{"PartitionKey":"Perth","PublishMode":"groups","StorageConnectionString":"cloud"}}"#,
            &TAKEN_OVER,
        )?;
        let names: Vec<&str> = taken.keys().map(String::as_str).collect();
        assert_eq!(names, ["PartitionKey", "PublishMode"]);
        assert_eq!(taken["PartitionKey"], "Perth");
        Ok(())
    }

    #[test]
    fn a_byte_order_mark_and_absent_values_are_fine() -> Result<()> {
        assert!(parse("\u{feff}{}", &TAKEN_OVER)?.is_empty());
        Ok(())
    }

    #[test]
    fn broken_files_are_refused_in_one_line() {
        for broken in
            ["{", "[]", r#"{"Values":{"PartitionShards":4}}"#, r#"{"IsEncrypted":true}"#, r#"{"Values":3}"#]
        {
            let line = crate::text::one_line(&parse(broken, &TAKEN_OVER).expect_err(broken));
            assert!(line.starts_with(FILE) && !line.contains('\n'), "{line}");
        }
    }
}
