//! A cursor over one JSON file of the app. Its errors name the file and the field.

use std::{ops::RangeInclusive, path::Path, time::Duration};

use serde_json::Value;

use super::time_span;
use crate::HostError;

/// A value that is present and not null, and the path to it.
#[derive(Clone)]
pub(crate) struct Field<'a> {
    file: &'a Path,
    path: String,
    value: &'a Value,
}

impl<'a> Field<'a> {
    pub(crate) fn root(file: &'a Path, value: &'a Value) -> Field<'a> {
        Field { file, path: String::new(), value }
    }

    /// Follows `keys` from here. Names match in any case, as in .NET configuration; `null` counts as absent.
    pub(crate) fn find(&self, keys: &[&str]) -> Result<Option<Field<'a>>, HostError> {
        let Some((key, rest)) = keys.split_first() else {
            return Ok(Some(self.clone()));
        };
        let object = self.value.as_object().ok_or_else(|| self.must_be("an object"))?;
        let entry = object.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        match entry {
            None | Some((_, Value::Null)) => Ok(None),
            Some((_, value)) => Field { file: self.file, path: self.below(key), value }.find(rest),
        }
    }

    /// As [`Field::find`], but absence is an error that names the whole path.
    pub(crate) fn require(&self, keys: &[&str]) -> Result<Field<'a>, HostError> {
        self.find(keys)?.ok_or_else(|| self.complain(&format!("{} is missing", self.below(&keys.join(".")))))
    }

    pub(crate) fn text(&self) -> Result<&'a str, HostError> {
        self.value.as_str().ok_or_else(|| self.must_be("a text"))
    }

    /// A whole number within `range`; a numeric text is accepted, as .NET configuration does.
    pub(crate) fn whole_number(&self, range: RangeInclusive<i64>) -> Result<i64, HostError> {
        let number = match self.value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_i64(),
        };
        number.filter(|number| range.contains(number)).ok_or_else(|| match *range.end() {
            i64::MAX => self.must_be(&format!("a whole number, {} or more", range.start())),
            end => self.must_be(&format!("a whole number from {} to {end}", range.start())),
        })
    }

    pub(crate) fn flag(&self) -> Result<bool, HostError> {
        match self.value {
            Value::Bool(flag) => Ok(*flag),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(self.must_be("true or false")),
        }
    }

    pub(crate) fn time_span(&self) -> Result<Duration, HostError> {
        self.value
            .as_str()
            .and_then(time_span::parse)
            .ok_or_else(|| self.must_be("a time span such as \"00:00:30\""))
    }

    pub(crate) fn items(&self) -> Result<Vec<Field<'a>>, HostError> {
        let items = self.value.as_array().ok_or_else(|| self.must_be("an array"))?;
        let item = |(index, value)| Field { file: self.file, path: format!("{}[{index}]", self.path), value };
        Ok(items.iter().enumerate().map(item).collect())
    }

    pub(crate) fn must_be(&self, expected: &str) -> HostError {
        let subject = if self.path.is_empty() { "the file" } else { &self.path };
        self.complain(&format!("{subject} must be {expected}"))
    }

    pub(crate) fn complain(&self, problem: &str) -> HostError {
        HostError::App { file: self.file.to_owned(), problem: problem.to_owned() }
    }

    pub(crate) fn unsupported_binding(&self, kind: &str) -> HostError {
        HostError::UnsupportedBinding {
            file: self.file.to_owned(),
            field: self.path.clone(),
            kind: kind.to_owned(),
        }
    }

    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn complaint<T>(result: Result<T, HostError>) -> String {
        result.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_missing_field_is_named_with_its_file_and_its_whole_way() {
        let value = json!({"customHandler": {}});
        let root = Field::root(Path::new("host.json"), &value);
        assert_eq!(
            complaint(root.require(&["customHandler", "description", "defaultExecutablePath"])),
            "host.json: customHandler.description.defaultExecutablePath is missing"
        );
    }

    #[test]
    fn a_section_of_the_wrong_kind_is_not_taken_for_an_empty_one() {
        let value = json!({"extensions": 5});
        let root = Field::root(Path::new("host.json"), &value);
        assert_eq!(complaint(root.find(&["extensions", "http"])), "host.json: extensions must be an object");
    }

    #[test]
    fn names_match_in_any_case_and_numbers_may_be_texts() {
        let value = json!({"MaxEventBatchSize": "25"});
        let root = Field::root(Path::new("host.json"), &value);
        let field = root.require(&["maxeventbatchsize"]).unwrap();
        assert_eq!(field.whole_number(1..=i64::MAX).unwrap(), 25);
        assert_eq!(
            complaint(field.whole_number(30..=i64::MAX)),
            "host.json: maxeventbatchsize must be a whole number, 30 or more"
        );
    }
}
