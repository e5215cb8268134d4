//! The HTTP trigger of a function: its route, who may call it, and how the call reaches the handler.

use axum::http::Method;

use super::bindings::{Bindings, text_of};
use crate::{
    HostError,
    app::{
        fields::Field,
        host_json::{Forwarding, HostJson},
    },
    http::template::Template,
};

#[derive(Debug)]
pub(crate) struct HttpTrigger {
    pub(crate) binding: String,
    pub(crate) route: Template,
    /// `None` means every method.
    pub(crate) methods: Option<Vec<Method>>,
    pub(crate) level: AuthLevel,
    /// Name of the `http` output.
    pub(crate) output: Option<String>,
    pub(crate) delivery: Delivery,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthLevel {
    Anonymous,
    Function,
    Admin,
}

/// How a call reaches the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Forwarded,
    Envelope,
}

impl HttpTrigger {
    pub(super) fn parse(
        name: &str,
        binding: &Field<'_>,
        bindings: &Bindings<'_>,
        host: &HostJson,
    ) -> Result<HttpTrigger, HostError> {
        let only_http = bindings.inputs.len() == 1 && bindings.outputs.len() == 1;
        let forwarded = only_http && host.forwarding == Forwarding::HttpOnly;
        Ok(HttpTrigger {
            binding: text_of("name")(binding)?,
            route: parse_route(name, binding, &host.route_prefix)?,
            methods: parse_methods(binding)?,
            level: parse_level(binding)?,
            output: bindings.http_output()?,
            delivery: if forwarded { Delivery::Forwarded } else { Delivery::Envelope },
        })
    }
}

fn parse_route(name: &str, binding: &Field<'_>, prefix: &str) -> Result<Template, HostError> {
    let field = binding.find(&["route"])?;
    let route = field.as_ref().map(|field| field.text()).transpose()?.filter(|route| !route.is_empty());
    let whole = format!("{prefix}/{}", route.unwrap_or(name));
    Template::parse(&whole).map_err(|problem| {
        let field = field.unwrap_or_else(|| binding.clone());
        field.complain(&format!("{}: {problem}", field.path()))
    })
}

fn parse_methods(binding: &Field<'_>) -> Result<Option<Vec<Method>>, HostError> {
    let Some(field) = binding.find(&["methods"])? else {
        return Ok(None);
    };
    let mut methods = Vec::new();
    for item in field.items()? {
        let name = item.text()?.to_ascii_uppercase();
        methods.push(name.parse().map_err(|_| item.must_be("an HTTP method"))?);
    }
    Ok(Some(methods).filter(|methods| !methods.is_empty()))
}

fn parse_level(binding: &Field<'_>) -> Result<AuthLevel, HostError> {
    let Some(field) = binding.find(&["authLevel"])? else {
        return Ok(AuthLevel::Function);
    };
    match field.text()?.to_ascii_lowercase().as_str() {
        "anonymous" => Ok(AuthLevel::Anonymous),
        "function" => Ok(AuthLevel::Function),
        "admin" => Ok(AuthLevel::Admin),
        _ => Err(field.must_be("anonymous, function or admin")),
    }
}
