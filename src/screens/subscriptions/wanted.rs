//! What a call of `subscriptions` wants: a group and a connection, each named once. Pure.
//!
//! The host decodes the path of an address before it forwards it, and cuts or changes it at `#`, `?` and `\`; it keeps
//! those in a query, but joins what is there twice with a comma. Only a body arrives as it was sent.

use serde::Deserialize;

use crate::host::call::Call;
use crate::host::routes::ParameterError;
use crate::screens::client_ids;
use crate::screens::groups::Group;

/// Who joins or leaves what.
#[derive(Debug, PartialEq)]
pub(super) struct Wanted {
    pub(super) group: Group,
    pub(super) connection: String,
}

/// Code and sentence of a call that cannot be answered.
type BadCall = (&'static str, String);

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    group: Option<String>,
    connection_id: Option<String>,
}

impl Wanted {
    pub(super) fn parse(call: &Call) -> Result<Wanted, BadCall> {
        let body = match call.body.trim_ascii() {
            b"" => Body::default(),
            body => serde_json::from_slice(body).map_err(|_| {
                let sentence = r#"the body must be empty or {"group":"…","connectionId":"…"}"#;
                ("bad_connection", sentence.to_owned())
            })?,
        };
        let group = group(call, body.group).map_err(|sentence| ("bad_group", sentence))?;
        let connection =
            connection(call, body.connection_id).map_err(|sentence| ("bad_connection", sentence))?;
        Ok(Wanted { group, connection })
    }
}

fn group(call: &Call, of_body: Option<String>) -> Result<Group, String> {
    let of_path = call.parameters.get("group").map_err(|error| match error {
        ParameterError::TooManySegments => "a `/` in the name of a group is written %2F",
        ParameterError::NotUtf8 => "the name of the group is not UTF-8",
    })?;
    let of_query = values(&call.query, "group").map(survived).collect::<Result<Vec<_>, _>>()?;
    let name = only(of_path.into_iter().chain(of_query).chain(of_body))
        .map_err(
            |()| "a call is for one group, which is named once: in the path, in the query or in the body",
        )?
        .ok_or("the group is missing: name it as `group` in the query or in the JSON body")?;
    Group::parse(&name).map_err(|error| error.to_string())
}

/// The name of a group as it arrived in a query, if it is the one that was sent.
fn survived(name: String) -> Result<String, &'static str> {
    let begins_a_group = |part: &str| {
        part.is_empty() || part == "all" || part.starts_with("geo:") || part.starts_with("device:")
    };
    if name.contains(',') && name.split(',').skip(1).any(begins_a_group) {
        return Err(
            "the group in the query looks like several, which the host joins with commas: name it in the JSON body",
        );
    }
    match name.contains(char::REPLACEMENT_CHARACTER) {
        true => Err("the group in the query is not UTF-8: name it in the JSON body"),
        false => Ok(name),
    }
}

fn connection(call: &Call, of_body: Option<String>) -> Result<String, String> {
    const TWICE: &str = "a call is for one connectionId, which is given once";
    let id = only(values(&call.query, "connectionId").chain(of_body))
        .map_err(|()| TWICE)?
        .ok_or("the connectionId is missing: the SignalR client knows it once it is connected")?;
    // The service's ids have none: the host has joined two.
    if id.contains(',') {
        return Err(TWICE.to_owned());
    }
    client_ids::check(&id).map_err(|problem| format!("the connectionId {problem}"))?;
    Ok(id)
}

fn values<'a>(query: &'a str, wanted: &'a str) -> impl Iterator<Item = String> + 'a {
    form_urlencoded::parse(query.as_bytes())
        .filter_map(move |(name, value)| (name == wanted).then(|| value.into_owned()))
}

/// The value that is there; an error where there are several.
fn only(mut values: impl Iterator<Item = String>) -> Result<Option<String>, ()> {
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests;
