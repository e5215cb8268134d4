//! `host.json`: how the handler is started and how triggers behave.

use std::{path::Path, time::Duration};

use serde_json::Value;

use super::{fields::Field, retry::RetryPolicy, settings::Settings};
use crate::HostError;

/// The parts of `host.json` that a local run depends on.
#[derive(Debug)]
pub(crate) struct HostJson {
    pub(crate) description: Description,
    pub(crate) forwarding: Forwarding,
    pub(crate) initialization_timeout: Duration,
    /// `None` means unlimited.
    pub(crate) function_timeout: Option<Duration>,
    pub(crate) event_hubs: EventHubOptions,
    pub(crate) route_prefix: String,
    pub(crate) retry: Option<RetryPolicy>,
}

/// `customHandler.description`, with `%NAME%` filled in and paths as written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) executable: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) worker_path: Option<String>,
    pub(crate) worker_arguments: Vec<String>,
    pub(crate) working_directory: Option<String>,
    pub(crate) worker_directory: Option<String>,
}

/// `customHandler.enableForwardingHttpRequest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarding {
    /// Functions with exactly one HTTP input and one HTTP output get the client's request.
    HttpOnly,
    /// Every function gets the envelope.
    Off,
}

/// `extensions.eventHubs`; the defaults are those of extension 6.x.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventHubOptions {
    pub(crate) max_batch: usize,
    pub(crate) min_batch: usize,
    pub(crate) max_wait: Duration,
    pub(crate) checkpoint_every: u64,
    pub(crate) start: StartPosition,
}

/// `initialOffsetOptions`: where reading starts in a partition without a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartPosition {
    FirstEvent,
    AfterLastEvent,
    EnqueuedSince(jiff::Timestamp),
}

impl HostJson {
    pub(crate) fn parse(value: &Value, settings: &Settings) -> Result<HostJson, HostError> {
        let root = Field::root(Path::new("host.json"), value);
        let version = root.require(&["version"])?;
        if version.text()? != "2.0" {
            return Err(version.must_be("\"2.0\""));
        }
        let forwarding = root.find(&["customHandler", "enableForwardingHttpRequest"])?;
        let forwards = forwarding.map_or(Ok(false), |field| field.flag())?;
        Ok(HostJson {
            description: parse_description(&root, settings)?,
            forwarding: if forwards { Forwarding::HttpOnly } else { Forwarding::Off },
            initialization_timeout: positive_span(
                &root,
                &["customHandler", "initializationTimeout"],
                Duration::from_secs(30),
            )?,
            function_timeout: parse_function_timeout(&root)?,
            event_hubs: parse_event_hubs(&root)?,
            route_prefix: parse_route_prefix(&root)?,
            retry: root.find(&["retry"])?.map(|field| RetryPolicy::parse(&field)).transpose()?,
        })
    }
}

fn parse_description(root: &Field<'_>, settings: &Settings) -> Result<Description, HostError> {
    let description = root.require(&["customHandler", "description"])?;
    let path = |key: &str| -> Result<Option<String>, HostError> {
        let text = description.find(&[key])?.map(|field| field.text()).transpose()?;
        Ok(text.filter(|text| !text.is_empty()).map(|text| settings.expand_or_drop(text)))
    };
    let arguments = |key: &str| -> Result<Vec<String>, HostError> {
        let list = description.find(&[key])?.map_or(Ok(Vec::new()), |field| parse_arguments(&field))?;
        Ok(list.iter().map(|text| settings.expand_or_drop(text)).collect())
    };
    let executable = path("defaultExecutablePath")?
        .ok_or_else(|| root.complain("customHandler.description.defaultExecutablePath is missing"))?;
    Ok(Description {
        executable,
        arguments: arguments("arguments")?,
        worker_path: path("defaultWorkerPath")?,
        worker_arguments: arguments("workerArguments")?,
        working_directory: path("workingDirectory")?,
        worker_directory: path("workerDirectory")?,
    })
}

/// An array of texts, or one text that holds such an array as JSON.
fn parse_arguments(field: &Field<'_>) -> Result<Vec<String>, HostError> {
    let list = match field.value() {
        Value::String(text) => serde_json::from_str(text).ok(),
        other => serde_json::from_value(other.clone()).ok(),
    };
    list.ok_or_else(|| field.must_be("an array of texts"))
}

/// An absent value means 30 minutes, the default of every plan but Consumption, and "-1" means unlimited. The
/// shortest is one second.
fn parse_function_timeout(root: &Field<'_>) -> Result<Option<Duration>, HostError> {
    let Some(field) = root.find(&["functionTimeout"])? else {
        return Ok(Some(Duration::from_secs(1_800)));
    };
    if field.value().as_str() == Some("-1") {
        return Ok(None);
    }
    let limit = field.time_span()?;
    if limit < Duration::from_secs(1) {
        return Err(field.must_be("\"-1\" or at least \"00:00:01\""));
    }
    Ok(Some(limit))
}

fn parse_event_hubs(root: &Field<'_>) -> Result<EventHubOptions, HostError> {
    let count = |key: &str, default: i64| -> Result<i64, HostError> {
        let field = root.find(&["extensions", "eventHubs", key])?;
        field.map_or(Ok(default), |field| field.whole_number(1..=i64::from(i32::MAX)))
    };
    let size = |key, default| count(key, default).map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    Ok(EventHubOptions {
        max_batch: size("maxEventBatchSize", 100)?,
        min_batch: size("minEventBatchSize", 1)?,
        max_wait: positive_span(root, &["extensions", "eventHubs", "maxWaitTime"], Duration::from_secs(60))?,
        checkpoint_every: count("batchCheckpointFrequency", 1)?.unsigned_abs(),
        start: parse_start_position(root)?,
    })
}

fn parse_start_position(root: &Field<'_>) -> Result<StartPosition, HostError> {
    let options = root.find(&["extensions", "eventHubs", "initialOffsetOptions"])?;
    let Some(options) = options else {
        return Ok(StartPosition::FirstEvent);
    };
    let Some(kind) = options.find(&["type"])? else {
        return Ok(StartPosition::FirstEvent);
    };
    match kind.text()?.to_ascii_lowercase().as_str() {
        "fromstart" => Ok(StartPosition::FirstEvent),
        "fromend" => Ok(StartPosition::AfterLastEvent),
        "fromenqueuedtime" => {
            let field = options.require(&["enqueuedTimeUtc"])?;
            let time = field
                .text()?
                .parse()
                .map_err(|_| field.must_be("a UTC time such as \"2026-11-21T00:00:00Z\""))?;
            Ok(StartPosition::EnqueuedSince(time))
        }
        _ => Err(kind.must_be("fromStart, fromEnd or fromEnqueuedTime")),
    }
}

fn parse_route_prefix(root: &Field<'_>) -> Result<String, HostError> {
    let field = root.find(&["extensions", "http", "routePrefix"])?;
    let prefix = field.map_or(Ok("api"), |field| field.text())?;
    Ok(prefix.trim_matches('/').to_owned())
}

fn positive_span(root: &Field<'_>, keys: &[&str], default: Duration) -> Result<Duration, HostError> {
    let Some(field) = root.find(keys)? else {
        return Ok(default);
    };
    match field.time_span()? {
        Duration::ZERO => Err(field.must_be("longer than zero")),
        span => Ok(span),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn parse(value: Value) -> Result<HostJson, String> {
        let settings = Settings::new(BTreeMap::from([("TOOLS".to_owned(), "/opt/tools".to_owned())]));
        HostJson::parse(&value, &settings).map_err(|error| error.to_string())
    }

    fn minimal() -> Value {
        json!({"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "handler"}}})
    }

    #[test]
    fn the_defaults_are_those_of_the_real_host() {
        let host = parse(minimal()).unwrap();
        assert_eq!(host.forwarding, Forwarding::Off);
        assert_eq!(host.initialization_timeout, Duration::from_secs(30));
        assert_eq!(host.function_timeout, Some(Duration::from_secs(1_800)));
        assert_eq!(host.route_prefix, "api");
        assert_eq!(host.retry, None);
        let expected = EventHubOptions {
            max_batch: 100,
            min_batch: 1,
            max_wait: Duration::from_secs(60),
            checkpoint_every: 1,
            start: StartPosition::FirstEvent,
        };
        assert_eq!(host.event_hubs, expected);
    }

    #[test]
    fn the_command_is_read_with_its_arguments_and_names_filled_in() {
        let mut value = minimal();
        value["customHandler"]["description"] = json!({
            "defaultExecutablePath": "%TOOLS%/node", "arguments": "[\"--x=%TOOLS%\", \"%NOPE%y\"]",
            "defaultWorkerPath": "server.js", "workerArguments": ["last"], "workingDirectory": "sub"
        });
        let expected = Description {
            executable: "/opt/tools/node".to_owned(),
            arguments: vec!["--x=/opt/tools".to_owned(), "y".to_owned()],
            worker_path: Some("server.js".to_owned()),
            worker_arguments: vec!["last".to_owned()],
            working_directory: Some("sub".to_owned()),
            worker_directory: None,
        };
        assert_eq!(parse(value).unwrap().description, expected);
    }

    #[test]
    fn each_broken_field_is_named() {
        let with = |keys: &[&str], value: Value| {
            let mut host = minimal();
            let target = keys.iter().fold(&mut host, |target, key| &mut target[*key]);
            *target = value;
            parse(host).unwrap_err()
        };
        assert_eq!(with(&["version"], Value::Null), "host.json: version is missing");
        assert_eq!(with(&["version"], json!("1.0")), "host.json: version must be \"2.0\"");
        assert_eq!(with(&["customHandler"], Value::Null), "host.json: customHandler.description is missing");
        assert_eq!(
            with(&["customHandler", "description"], json!({})),
            "host.json: customHandler.description.defaultExecutablePath is missing"
        );
        assert_eq!(
            with(&["functionTimeout"], json!("00:00:00.5")),
            "host.json: functionTimeout must be \"-1\" or at least \"00:00:01\""
        );
        assert_eq!(
            with(&["extensions"], json!({"eventHubs": {"maxEventBatchSize": 0}})),
            "host.json: extensions.eventHubs.maxEventBatchSize must be a whole number from 1 to 2147483647"
        );
        assert_eq!(
            with(&["extensions"], json!({"eventHubs": {"initialOffsetOptions": {"type": "never"}}})),
            "host.json: extensions.eventHubs.initialOffsetOptions.type must be fromStart, fromEnd or fromEnqueuedTime"
        );
    }

    #[test]
    fn an_unlimited_function_is_allowed() {
        let mut value = minimal();
        value["functionTimeout"] = json!("-1");
        assert_eq!(parse(value).unwrap().function_timeout, None);
    }
}
