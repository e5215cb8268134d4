//! The envelope of an invocation that is not forwarded: `{"Data":{…},"Metadata":{…}}`.
//!
//! The encoding is that of azure-functions-host, `HttpScriptInvocationContext` and
//! `ScriptInvocationContextExtensions`: objects nest, every other value is JSON text inside a string, except that
//! bytes are base64 and dates are plain. Pure: functions take data and return data.

pub(crate) mod dates;
pub(crate) mod event;
pub(crate) mod json;
pub(crate) mod request;
pub(crate) mod timer;

use jiff::Timestamp;

use crate::guid::Guid;
use json::Json;

/// Names and encoded values, in the order in which the host writes them.
pub(crate) type Members = Vec<(String, Json)>;

/// The body of a default-mode invocation.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) data: Members,
    pub(crate) metadata: Members,
}

/// The parts of an envelope that change with every invocation. They are parameters, so that tests can compare
/// envelopes byte by byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) now: Timestamp,
    pub(crate) guid: Guid,
}

/// `Metadata.RetryContext`.
#[derive(Clone, Debug)]
pub(crate) struct RetryContext {
    pub(crate) retry_count: u32,
    pub(crate) max_retry_count: i64,
    /// Why the previous attempt failed, in retries.
    pub(crate) exception: Option<String>,
}

impl Envelope {
    pub(crate) fn into_text(self) -> String {
        let members = vec![
            ("Data".to_owned(), Json::Object(self.data)),
            ("Metadata".to_owned(), Json::Object(self.metadata)),
        ];
        Json::Object(members).to_text()
    }
}

/// The host's value encoder: objects nest, everything else becomes its own JSON text in a string.
fn encode(value: Json) -> Json {
    match value {
        Json::Object(_) => value,
        other => Json::Text(other.to_text()),
    }
}

/// Turns encoded binding data into metadata: keys that end in `trigger` are left out, `sys` and the retry
/// context are added.
fn finish_metadata(
    mut members: Members,
    function: &str,
    stamp: &Stamp,
    retry: Option<&RetryContext>,
) -> Members {
    members.retain(|(key, _)| !key.to_ascii_lowercase().ends_with("trigger"));
    let taken = members.iter().any(|(key, _)| key.eq_ignore_ascii_case("sys"));
    let sys = Json::object([
        ("MethodName", Json::text(function)),
        ("UtcNow", Json::Text(dates::utc(stamp.now))),
        ("RandGuid", Json::Text(stamp.guid.to_string())),
    ]);
    members.push((if taken { "$sys" } else { "sys" }.to_owned(), sys));
    members.extend(retry.map(|retry| ("RetryContext".to_owned(), retry.to_json())));
    members
}

impl RetryContext {
    fn to_json(&self) -> Json {
        let exception = self.exception.as_deref().map_or(Json::Null, |message| {
            Json::object([
                ("ClassName", Json::text("System.InvalidOperationException")),
                ("Message", Json::text(message)),
            ])
        });
        Json::object([
            ("RetryCount", Json::Integer(self.retry_count.into())),
            ("MaxRetryCount", Json::Integer(self.max_retry_count.into())),
            ("Exception", exception),
            ("Instance", Json::Null),
            ("State", Json::Object(Vec::new())),
        ])
    }
}

/// Copies the members of a JSON object body into encoded binding data, as azure-functions-host
/// `Utility.ApplyBindingData` does: arrays and nulls are skipped, scalars become texts, and a name that is
/// taken (in any case) is overwritten.
fn apply_body_members(data: &mut Members, body: &Json) {
    let Json::Object(members) = body else { return };
    let mut fresh = Vec::new();
    for (name, value) in members {
        let value = match value {
            Json::Null | Json::Array(_) => continue,
            Json::Object(_) => value.clone(),
            scalar => Json::Text(Json::Text(scalar.dotnet_text()).to_text()),
        };
        match data.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
            Some((_, taken)) => *taken = value,
            None => fresh.push((name.clone(), value)),
        }
    }
    data.splice(0..0, fresh);
}
