//! What host.json says about the calls of clients: whether the host forwards or wraps them, and which prefix their
//! addresses have. Read as the host reads it: names in any case, and app settings override the file. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::host::routes::segment::{self, Piece};

/// How the app settings begin that override host.json. The names of its members follow, with `__` between them.
pub(crate) const OVERRIDE: &str = "AzureFunctionsJobHost__";

/// This repository's host.json, for a handler that is started in a folder without one, as tests and benches do. A
/// Functions host never does: it starts the program that a host.json names.
const PUBLISHED: &str = include_str!("../../host.json");

/// What host.json says about the calls of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostJson {
    /// How they reach the handler.
    pub calls: Calls,
    /// `extensions.http.routePrefix`: segments of a route template with `/` between them, or nothing.
    pub prefix: String,
}

/// How calls of clients reach the handler: in one of two ways, for all functions and all calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// As the client made them, at `/{prefix}/{route}`.
    Forwarded,
    /// In the host's envelope, posted to `/{function}`.
    Wrapped,
}

/// What is wrong with host.json, or with a setting that overrides it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} {problem}")]
pub struct HostJsonError {
    place: String,
    problem: String,
}

impl HostJson {
    /// Reads the text of host.json, where there is one. `settings` are those that begin with `AzureFunctionsJobHost__`.
    pub fn read(text: Option<&str>, settings: &BTreeMap<String, String>) -> Result<HostJson, HostJsonError> {
        let text = text.unwrap_or(PUBLISHED).trim_start_matches('\u{feff}');
        let file = serde_json::from_str(text)
            .map_err(|error| fail("host.json".to_owned(), format!("is not JSON: {error}")))?;
        let source = Source { file, settings };
        source.refuse_other_forms()?;
        let is_proxied = source.flag(&["customHandler", "enableProxyingHttpRequest"])?;
        let is_forwarded = source.flag(&["customHandler", "enableForwardingHttpRequest"])?;
        Ok(HostJson {
            calls: if is_proxied || is_forwarded { Calls::Forwarded } else { Calls::Wrapped },
            prefix: source.prefix()?,
        })
    }
}

/// The file with the settings over it.
struct Source<'a> {
    file: Value,
    settings: &'a BTreeMap<String, String>,
}

/// A value, and where it was found.
struct Found<'a> {
    place: String,
    value: Cow<'a, Value>,
}

impl Source<'_> {
    /// Two more ways to set a custom handler up make the host forward calls where this app would expect them wrapped.
    fn refuse_other_forms(&self) -> Result<(), HostJsonError> {
        if let Some(Found { place, .. }) = self.find(&["configurationProfile"])? {
            return Err(fail(place, "is not supported: it brings functions of its own"));
        }
        match (self.find(&["httpWorker"])?, self.find(&["customHandler"])?) {
            (Some(Found { place, .. }), None) => Err(fail(place, "is not supported: write customHandler")),
            _ => Ok(()),
        }
    }

    fn flag(&self, names: &[&str]) -> Result<bool, HostJsonError> {
        let Some(Found { place, value }) = self.find(names)? else { return Ok(false) };
        let text = value.as_str().map(|text| text.trim().to_ascii_lowercase());
        match (&*value, text.as_deref()) {
            (Value::Bool(flag), _) => Ok(*flag),
            (_, Some("true")) => Ok(true),
            (_, Some("false")) => Ok(false),
            _ => Err(fail(place, "must be true or false")),
        }
    }

    fn prefix(&self) -> Result<String, HostJsonError> {
        let Some(Found { place, value }) = self.find(&["extensions", "http", "routePrefix"])? else {
            return Ok("api".to_owned());
        };
        let Some(text) = value.as_str() else { return Err(fail(place, "must be a text")) };
        let prefix =
            text.strip_prefix('~').filter(|rest| rest.starts_with('/')).unwrap_or(text).trim_matches('/');
        match check_prefix(prefix) {
            Ok(()) => Ok(prefix.to_owned()),
            Err(problem) => Err(fail(
                place,
                format!("must be what the host takes for the begin of a route: it holds {problem}"),
            )),
        }
    }

    /// The value of a member of a member …, where there is one.
    fn find(&self, names: &[&str]) -> Result<Option<Found<'_>>, HostJsonError> {
        let setting = format!("{OVERRIDE}{}", names.join("__"));
        let setting = only(self.settings, &setting).map_err(|()| fail(setting, "is set twice"))?;
        if let Some((name, value)) = setting {
            let (place, value) = (format!("setting {name}"), Cow::Owned(Value::from(value.as_str())));
            return Ok(Some(Found { place, value }));
        }
        let place = |depth| match depth {
            0 => "host.json".to_owned(),
            _ => format!("host.json: {}", names[..depth].join(".")),
        };
        let mut value = &self.file;
        for (depth, name) in names.iter().enumerate() {
            let members = value.as_object().ok_or_else(|| fail(place(depth), "must be an object"))?;
            match only(members, name).map_err(|()| fail(place(depth + 1), "is there twice"))? {
                Some((_, inner)) => value = inner,
                None => return Ok(None),
            }
        }
        Ok(Some(Found { place: place(names.len()), value: Cow::Borrowed(value) }))
    }
}

/// What is wrong with a prefix, which the host puts in front of each route and reads as part of its template.
fn check_prefix(prefix: &str) -> Result<(), &'static str> {
    if prefix.starts_with('~') {
        return Err("a ~ at its begin");
    }
    let mut names = Vec::new();
    for template in prefix.split('/').filter(|_| !prefix.is_empty()) {
        if matches!(template, "" | "." | "..") {
            return Err("a segment that is empty or a dot segment, which no address can have");
        }
        for piece in segment::parse(template)? {
            let Piece::Parameter { name } = piece else { continue };
            let name = name.to_lowercase();
            if names.contains(&name) {
                return Err("a parameter twice");
            }
            names.push(name);
        }
    }
    Ok(())
}

/// The entry of this name in any case. Two of them are an error: nothing says which one the host takes.
fn only<'a, V: 'a>(
    entries: impl IntoIterator<Item = (&'a String, &'a V)>,
    name: &str,
) -> Result<Option<(&'a String, &'a V)>, ()> {
    let mut named = entries.into_iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    match (named.next(), named.next()) {
        (found, None) => Ok(found),
        _ => Err(()),
    }
}

fn fail(place: String, problem: impl Into<String>) -> HostJsonError {
    HostJsonError { place, problem: problem.into() }
}

#[cfg(test)]
mod tests;
