//! The Event Hub trigger of a function: the hub, the consumer group, and the form in which the handler gets events.

use axum::http::uri::Authority;

use super::bindings::text_of;
use crate::{
    HostError,
    app::{fields::Field, settings::Settings},
    wire,
};

#[derive(Clone, Debug)]
pub(crate) struct EventHubTrigger {
    /// Name of the binding in `Data`.
    pub(crate) binding: String,
    pub(crate) entity: String,
    pub(crate) consumer_group: String,
    /// Host and port of the event source.
    pub(crate) source: Authority,
    pub(crate) shape: Shape,
}

/// The form of the trigger's value, from `cardinality` and `dataType` (azure-functions-host,
/// `GeneralScriptBindingProvider`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    OneText,
    OneBinary,
    ManyParsed,
    ManyTexts,
    ManyBinaries,
}

impl Shape {
    pub(crate) fn is_one(self) -> bool {
        matches!(self, Shape::OneText | Shape::OneBinary)
    }
}

impl EventHubTrigger {
    pub(crate) fn parse(binding: &Field<'_>, settings: &Settings) -> Result<EventHubTrigger, HostError> {
        let connection = EventHubConnection::parse(binding, settings)?;
        let entity = match connection.entity {
            Some(entity) => entity,
            None => expand(&binding.require(&["eventHubName"])?, settings)?,
        };
        let consumer_group = match binding.find(&["consumerGroup"])? {
            Some(field) => expand(&field, settings)?,
            None => "$Default".to_owned(),
        };
        let source = connection.source;
        let shape = parse_shape(binding)?;
        Ok(EventHubTrigger { binding: text_of("name")(binding)?, entity, consumer_group, source, shape })
    }
}

fn expand(field: &Field<'_>, settings: &Settings) -> Result<String, HostError> {
    let unset = |name| format!("{} needs the setting {name}, which is not set", field.path());
    settings.expand(field.text()?).map_err(|name| field.complain(&unset(name)))
}

/// The setting named by `connection`: an Event Hub connection string whose endpoint is on this machine.
struct EventHubConnection {
    source: Authority,
    entity: Option<String>,
}

impl EventHubConnection {
    fn parse(binding: &Field<'_>, settings: &Settings) -> Result<EventHubConnection, HostError> {
        let field = binding.require(&["connection"])?;
        let name = field.text()?.trim_matches('%');
        let complain =
            |problem: &str| field.complain(&format!("{}: the setting {name} {problem}", field.path()));
        let text = settings.get(name).ok_or_else(|| complain("is not set"))?;
        let part = |key: &str| {
            let mut pairs = text.split(';').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(name, _)| name.trim().eq_ignore_ascii_case(key))
                .map(|(_, value)| value.trim().to_owned())
        };
        let endpoint = part("Endpoint").ok_or_else(|| complain("is not an Event Hub connection string"))?;
        let authority = endpoint.strip_prefix("sb://").map(|rest| rest.trim_end_matches('/'));
        let authority: Option<Authority> = authority.and_then(|text| text.parse().ok());
        let local = authority.filter(wire::is_loopback);
        let source = local.ok_or_else(|| complain(NOT_LOCAL))?;
        Ok(EventHubConnection { source, entity: part("EntityPath") })
    }
}

const NOT_LOCAL: &str = "must have an endpoint on this machine (sb://127.0.0.1:7072/): \
                         only the local IoT Hub stand-in can be read";

/// An absent or unreadable cardinality means one, as in the real host.
fn parse_shape(binding: &Field<'_>) -> Result<Shape, HostError> {
    let cardinality = binding.find(&["cardinality"])?;
    let many =
        cardinality.is_some_and(|field| field.text().is_ok_and(|text| text.eq_ignore_ascii_case("many")));
    let data_type = binding.find(&["dataType"])?;
    let name = data_type.as_ref().map(|field| field.text()).transpose()?.unwrap_or_default();
    match (many, name.to_ascii_lowercase().as_str(), data_type) {
        (false, "" | "string", _) => Ok(Shape::OneText),
        (false, "binary", _) => Ok(Shape::OneBinary),
        (true, "", _) => Ok(Shape::ManyParsed),
        (true, "string", _) => Ok(Shape::ManyTexts),
        (true, "binary", _) => Ok(Shape::ManyBinaries),
        (_, _, field) => Err(field.unwrap_or_else(|| binding.clone()).must_be("binary or string")),
    }
}
