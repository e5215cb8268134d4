//! App settings: they fill `%NAME%`, name connections and override `host.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Prefix of a setting that overrides a value of `host.json`
/// (Microsoft docs, "host.json reference", section on overriding values).
const OVERRIDE_PREFIX: &str = "AzureFunctionsJobHost__";

/// The settings of the app. A name that matches exactly wins over one that differs in case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    pub(crate) fn new(values: BTreeMap<String, String>) -> Settings {
        Settings(values)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let in_any_case =
            || self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        self.0.get(name).or_else(in_any_case).map(String::as_str)
    }

    /// Replaces every `%NAME%`. The error is the first name without a value.
    pub(crate) fn expand(&self, text: &str) -> Result<String, String> {
        self.replace(text, |name| Err(name.to_owned()))
    }

    /// As [`Settings::expand`], but unset names become empty: the rule for the executable and its arguments.
    pub(crate) fn expand_or_drop(&self, text: &str) -> String {
        self.replace(text, |_| Ok(String::new())).unwrap_or_default()
    }

    fn replace(&self, text: &str, unset: impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            let Some((name, tail)) = after.split_once('%') else {
                break;
            };
            result.push_str(before);
            match self.get(name) {
                Some(value) => result.push_str(value),
                None => result.push_str(&unset(name)?),
            }
            rest = tail;
        }
        result.push_str(rest);
        Ok(result)
    }

    /// Applies the `AzureFunctionsJobHost__…` settings to a parsed `host.json`.
    pub(crate) fn override_host_json(&self, host_json: &mut Value) {
        for (name, value) in &self.0 {
            let prefix = name.get(..OVERRIDE_PREFIX.len());
            if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(OVERRIDE_PREFIX)) {
                put(host_json, name[OVERRIDE_PREFIX.len()..].split("__"), value);
            }
        }
    }
}

fn put<'a>(target: &mut Value, mut path: impl Iterator<Item = &'a str>, value: &str) {
    let Some(key) = path.next() else {
        *target = Value::String(value.to_owned());
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let object = target.as_object_mut().expect("the target was made an object above");
    let known = object.keys().find(|name| name.eq_ignore_ascii_case(key)).cloned();
    let entry = object.entry(known.unwrap_or_else(|| key.to_owned())).or_insert(Value::Null);
    put(entry, path, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn names_between_percent_signs_are_replaced_in_any_case() {
        let settings = settings(&[("EventHubName", "telemetry")]);
        assert_eq!(settings.expand("%eventhubname%"), Ok("telemetry".to_owned()));
        assert_eq!(settings.expand("a-%EventHubName%-100%"), Ok("a-telemetry-100%".to_owned()));
    }

    #[test]
    fn an_unset_name_is_reported_or_vanishes() {
        let settings = settings(&[]);
        assert_eq!(settings.expand("x%MISSING%"), Err("MISSING".to_owned()));
        assert_eq!(settings.expand_or_drop("x%MISSING%y"), "xy");
    }

    #[test]
    fn settings_override_host_json_values_whatever_their_case() {
        let settings = settings(&[
            ("AzureFunctionsJobHost__customHandler__description__defaultExecutablePath", "other"),
            ("AzureFunctionsJobHost__extensions__eventHubs__maxEventBatchSize", "7"),
            ("Unrelated", "x"),
        ]);
        let mut host_json = json!({"CustomHandler": {"Description": {"defaultExecutablePath": "handler"}}});
        settings.override_host_json(&mut host_json);
        assert_eq!(
            host_json,
            json!({
                "CustomHandler": {"Description": {"defaultExecutablePath": "other"}},
                "extensions": {"eventHubs": {"maxEventBatchSize": "7"}}
            })
        );
    }
}
