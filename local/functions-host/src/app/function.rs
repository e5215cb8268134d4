//! One `function.json`: the trigger, the output and the retry policy of a function.

mod bindings;
pub(crate) mod event_hub;
pub(crate) mod http;
pub(crate) mod timer;

use std::path::Path;

use serde_json::Value;

use super::{fields::Field, host_json::HostJson, retry::RetryPolicy, settings::Settings};
use crate::HostError;
use bindings::{Bindings, kind_of};
use event_hub::EventHubTrigger;
use http::HttpTrigger;
use timer::TimerTrigger;

/// A function of the app.
#[derive(Debug)]
pub(crate) struct Function {
    /// The name of its folder, in its own case.
    pub(crate) name: String,
    pub(crate) trigger: Trigger,
    pub(crate) retry: Option<RetryPolicy>,
}

#[derive(Debug)]
pub(crate) enum Trigger {
    EventHub(EventHubTrigger),
    Http(HttpTrigger),
    Timer(TimerTrigger),
}

impl Function {
    /// Reads a function; `None` when it is disabled.
    pub(crate) fn parse(
        name: &str,
        file: &Path,
        value: &Value,
        settings: &Settings,
        host: &HostJson,
    ) -> Result<Option<Function>, HostError> {
        let root = Field::root(file, value);
        check_name(name, &root)?;
        if is_disabled(name, &root, settings)? {
            return Ok(None);
        }
        let bindings = Bindings::read(&root)?;
        let trigger = bindings.trigger(&root)?;
        let trigger = match kind_of(trigger)?.as_str() {
            "eventhubtrigger" => Trigger::EventHub(EventHubTrigger::parse(trigger, settings)?),
            "timertrigger" => Trigger::Timer(TimerTrigger::parse(trigger, settings)?),
            _ => Trigger::Http(HttpTrigger::parse(name, trigger, &bindings, host)?),
        };
        let own_retry = root.find(&["retry"])?.map(|field| RetryPolicy::parse(&field)).transpose()?;
        Ok(Some(Function { name: name.to_owned(), trigger, retry: own_retry.or_else(|| host.retry.clone()) }))
    }
}

/// The rule of azure-functions-host, `Utility.FunctionNameValidationRegex`.
fn check_name(name: &str, root: &Field<'_>) -> Result<(), HostError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic());
    if starts_well && name.len() <= 128 && name.bytes().all(allowed) && !name.eq_ignore_ascii_case("host") {
        return Ok(());
    }
    Err(root.complain(&format!("{name:?} is not a function name (a letter, then letters, digits, _ or -)")))
}

fn is_disabled(name: &str, root: &Field<'_>, settings: &Settings) -> Result<bool, HostError> {
    let by_setting = settings.get(&format!("AzureWebJobs.{name}.Disabled"));
    if by_setting.is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true")) {
        return Ok(true);
    }
    root.find(&["disabled"])?.map_or(Ok(false), |field| field.flag())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::{event_hub::Shape, http::*, *};

    const CONNECTION: &str =
        "Endpoint=sb://127.0.0.1:7072/;SharedAccessKeyName=p;SharedAccessKey=c2VjcmV0;EntityPath=fieldcast";

    fn parse(bindings: Value) -> Result<Option<Function>, String> {
        let settings = Settings::new(BTreeMap::from([
            ("Hub".to_owned(), CONNECTION.to_owned()),
            ("Nameless".to_owned(), "Endpoint=sb://localhost:1/;SharedAccessKey=c2VjcmV0".to_owned()),
            (
                "Cloud".to_owned(),
                "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKey=c2VjcmV0".to_owned(),
            ),
            ("Broken".to_owned(), "c2VjcmV0".to_owned()),
            ("Entity".to_owned(), "other".to_owned()),
            ("Nightly".to_owned(), "0 17 3 * * *".to_owned()),
            ("AzureWebJobs.Off.Disabled".to_owned(), "true".to_owned()),
        ]));
        let value = json!({ "bindings": bindings });
        let host = json!({"version": "2.0", "customHandler": {
            "description": {"defaultExecutablePath": "x"}, "enableForwardingHttpRequest": true}});
        let host = HostJson::parse(&host, &settings).unwrap();
        let file = Path::new("F/function.json");
        Function::parse("F", file, &value, &settings, &host).map_err(|error| error.to_string())
    }

    fn hub(extra: Value) -> Value {
        let mut binding =
            json!({"type": "eventHubTrigger", "direction": "in", "name": "events", "connection": "Hub"});
        binding.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!([binding])
    }

    fn event_hub(extra: Value) -> EventHubTrigger {
        match parse(hub(extra)).unwrap().unwrap().trigger {
            Trigger::EventHub(trigger) => trigger,
            _ => panic!("an Event Hub trigger was expected"),
        }
    }

    #[test]
    fn the_entity_path_of_the_connection_wins_over_the_name() {
        let trigger = event_hub(json!({"eventHubName": "%Entity%"}));
        assert_eq!((trigger.entity.as_str(), trigger.consumer_group.as_str()), ("fieldcast", "$Default"));
        assert_eq!(trigger.source.as_str(), "127.0.0.1:7072");
        assert_eq!(event_hub(json!({"connection": "Nameless", "eventHubName": "%Entity%"})).entity, "other");
    }

    #[test]
    fn cardinality_and_data_type_give_the_shape() {
        let shape = |extra| event_hub(extra).shape;
        assert_eq!(shape(json!({})), Shape::OneText);
        assert_eq!(shape(json!({"cardinality": "lots", "dataType": "string"})), Shape::OneText);
        assert_eq!(shape(json!({"cardinality": "one", "dataType": "binary"})), Shape::OneBinary);
        assert_eq!(shape(json!({"cardinality": "many"})), Shape::ManyParsed);
        assert_eq!(shape(json!({"cardinality": "Many", "dataType": "String"})), Shape::ManyTexts);
        assert_eq!(shape(json!({"cardinality": "many", "dataType": "binary"})), Shape::ManyBinaries);
        assert_eq!(
            parse(hub(json!({"dataType": "stream"}))).unwrap_err(),
            "F/function.json: bindings[0].dataType must be binary or string"
        );
    }

    #[test]
    fn what_this_stand_in_lacks_is_refused_with_file_and_type() {
        let error = parse(json!([{"type": "queueTrigger", "direction": "in", "name": "t"}])).unwrap_err();
        assert!(error.starts_with("F/function.json: bindings[0].type is \"queueTrigger\""), "{error}");
        let error = parse(json!([
            {"type": "httpTrigger", "direction": "in", "name": "req"},
            {"type": "signalRConnectionInfo", "direction": "in", "name": "info"}
        ]))
        .unwrap_err();
        assert!(
            error.starts_with("F/function.json: bindings[1].type is \"signalRConnectionInfo\""),
            "{error}"
        );
    }

    #[test]
    fn a_connection_is_refused_by_the_name_of_its_setting_and_never_by_its_value() {
        for (connection, problem) in [
            ("Absent", "bindings[0].connection: the setting Absent is not set"),
            ("Broken", "the setting Broken is not an Event Hub connection string"),
            ("Cloud", "the setting Cloud must have an endpoint on this machine"),
        ] {
            let error = parse(hub(json!({"connection": connection, "eventHubName": "e"}))).unwrap_err();
            assert!(error.contains(problem), "{error}");
            assert!(!error.contains("c2VjcmV0"), "{error}");
        }
        assert_eq!(
            parse(hub(json!({"connection": "Nameless", "eventHubName": "%Nope%"}))).unwrap_err(),
            "F/function.json: bindings[0].eventHubName needs the setting Nope, which is not set"
        );
        assert_eq!(
            parse(hub(json!({"connection": "Nameless"}))).unwrap_err(),
            "F/function.json: bindings[0].eventHubName is missing"
        );
    }

    #[test]
    fn each_missing_field_of_a_binding_is_named() {
        for key in ["type", "direction", "name", "connection"] {
            let mut bindings = hub(json!({}));
            bindings[0].as_object_mut().unwrap().remove(key);
            assert_eq!(
                parse(bindings).unwrap_err(),
                format!("F/function.json: bindings[0].{key} is missing")
            );
        }
        assert_eq!(parse(Value::Null).unwrap_err(), "F/function.json: bindings is missing");
        assert_eq!(parse(json!([])).unwrap_err(), "F/function.json: bindings holds no trigger");
    }

    #[test]
    fn only_a_function_of_one_http_input_and_one_http_output_is_forwarded() {
        let delivery = |bindings| match parse(bindings).unwrap().unwrap().trigger {
            Trigger::Http(trigger) => (trigger.delivery, trigger.level),
            _ => panic!("an HTTP trigger was expected"),
        };
        let trigger = json!({"type": "httpTrigger", "direction": "in", "name": "req"});
        let output = json!({"type": "http", "direction": "out", "name": "res"});
        assert_eq!(delivery(json!([trigger, output])), (Delivery::Forwarded, AuthLevel::Function));
        assert_eq!(delivery(json!([trigger])).0, Delivery::Envelope);
    }

    #[test]
    fn a_timer_has_a_schedule_or_a_setting_that_holds_one() {
        let timer = |extra: Value| {
            let mut binding = json!({"type": "timerTrigger", "direction": "in", "name": "timer"});
            binding.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            parse(json!([binding])).map(|function| match function.unwrap().trigger {
                Trigger::Timer(trigger) => trigger,
                _ => panic!("a timer trigger was expected"),
            })
        };
        let daily = timer(json!({"schedule": "0 17 3 * * *"})).unwrap();
        assert_eq!((daily.run_on_startup, daily.use_monitor), (false, true));
        let same =
            timer(json!({"schedule": "%Nightly%", "runOnStartup": true, "useMonitor": false})).unwrap();
        assert_eq!((same.run_on_startup, same.use_monitor), (true, false));
        assert_eq!(same.schedule, daily.schedule);
        for (extra, problem) in [
            (json!({}), "bindings[0].schedule is missing"),
            (json!({"schedule": "%Nope%"}), "bindings[0].schedule needs the setting Nope, which is not set"),
            (json!({"schedule": "at night"}), "bindings[0].schedule must be an NCRONTAB expression"),
        ] {
            let error = timer(extra).unwrap_err();
            assert!(error.starts_with(&format!("F/function.json: {problem}")), "{error}");
        }
    }

    #[test]
    fn a_disabled_function_is_left_out() {
        let settings =
            Settings::new(BTreeMap::from([("AzureWebJobs.F.Disabled".to_owned(), "true".to_owned())]));
        let host =
            json!({"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "x"}}});
        let host = HostJson::parse(&host, &settings).unwrap();
        let file = Path::new("F/function.json");
        assert!(Function::parse("F", file, &json!({}), &settings, &host).unwrap().is_none());
    }
}
