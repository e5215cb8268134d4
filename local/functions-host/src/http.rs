//! The HTTP side of the host: CORS, then the admin route, function routes, and static files.

pub(crate) mod address;
mod admin;
pub(crate) mod call;
pub(crate) mod cors;
pub(crate) mod files;
mod output;
pub(crate) mod query;
pub(crate) mod template;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, uri::Authority},
};

use crate::{
    app::{function::http::HttpTrigger, retry::RetryPolicy},
    events::EventFunction,
    invoke::Invoker,
    timers::TimerFunction,
    wire::is_loopback,
};
use cors::Cors;
use files::Files;
use query::Query;
use template::Parameters;

/// One function with an HTTP trigger.
pub(crate) struct HttpFunction {
    pub(crate) name: String,
    pub(crate) trigger: HttpTrigger,
    pub(crate) retry: Option<RetryPolicy>,
}

/// The functions that the admin route can run.
pub(crate) struct Manual {
    pub(crate) events: Vec<Arc<EventFunction>>,
    pub(crate) timers: Vec<Arc<TimerFunction>>,
}

/// Everything that HTTP requests are answered from.
pub(crate) struct Site {
    functions: Vec<HttpFunction>,
    manual: Manual,
    invoker: Arc<Invoker>,
    keys: Vec<String>,
    cors: Cors,
    files: Option<Files>,
}

impl Site {
    pub(crate) fn new(
        mut functions: Vec<HttpFunction>,
        manual: Manual,
        invoker: Arc<Invoker>,
        keys: Vec<String>,
        cors: Cors,
        files: Option<Files>,
    ) -> Site {
        functions.sort_by_key(|function| function.trigger.route.precedence());
        Site { functions, manual, invoker, keys, cors, files }
    }

    async fn answer(&self, request: Request) -> Response<Body> {
        if let Some(name) = request.uri().path().strip_prefix("/admin/functions/") {
            let name = name.to_owned();
            return self.admin(&name, request).await;
        }
        let Some(path) = address::decoded(request.uri().path()) else {
            return status(StatusCode::BAD_REQUEST);
        };
        if let Some((function, parameters)) = self.find(request.method(), &path) {
            return self.call(function, parameters, request).await;
        }
        self.serve_file(request.method(), request.uri().path()).await
    }

    /// The most specific function that matches route and method of a decoded path. A wrong method is no match, and is
    /// answered with 404.
    fn find(&self, method: &Method, path: &str) -> Option<(&HttpFunction, Parameters)> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let parts: Vec<String> =
            if path.is_empty() { Vec::new() } else { path.split('/').map(str::to_owned).collect() };
        self.functions.iter().find_map(|function| {
            let allowed = function.trigger.methods.as_ref();
            let fits = allowed.is_none_or(|methods| methods.contains(method));
            fits.then(|| function.trigger.route.matches(&parts))
                .flatten()
                .map(|parameters| (function, parameters))
        })
    }

    async fn serve_file(&self, method: &Method, path: &str) -> Response<Body> {
        if *method != Method::GET && *method != Method::HEAD {
            return status(StatusCode::NOT_FOUND);
        }
        match &self.files {
            Some(files) => files.get(path).await.unwrap_or_else(|| status(StatusCode::NOT_FOUND)),
            None if path == "/" => text("The local Functions host is running.\n"),
            None => status(StatusCode::NOT_FOUND),
        }
    }

    /// Whether the request has a valid key: in the header, or else in `code`.
    fn has_key(&self, request: &Request) -> bool {
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let header = request.headers().get("x-functions-key").and_then(|value| value.to_str().ok());
        header.or(query.get("code")).is_some_and(|given| self.keys.iter().any(|key| key == given))
    }
}

/// Answers every request to the host.
pub(crate) async fn answer(State(site): State<Arc<Site>>, request: Request) -> Response<Body> {
    if !is_for_this_machine(request.headers()) {
        let mut response = text("the Host header names another machine: use 127.0.0.1, localhost or [::1]\n");
        *response.status_mut() = StatusCode::FORBIDDEN;
        return response;
    }
    if cors::is_preflight(request.method(), request.headers()) {
        let mut response = status(StatusCode::NO_CONTENT);
        response.headers_mut().extend(site.cors.grant_preflight(request.headers()));
        return response;
    }
    let grant = site.cors.grant(request.headers());
    let mut response = site.answer(request).await;
    for (name, value) in grant {
        if name == header::VARY {
            response.headers_mut().append(name, value);
        } else {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A page of any site can have its own name resolved to 127.0.0.1 and would then read this host as a part of its own site.
/// Its browser still sends the site's name in `Host`. A local addition.
fn is_for_this_machine(headers: &HeaderMap) -> bool {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority: Option<Authority> = named.and_then(|host| host.parse().ok());
    authority.is_some_and(|authority| is_loopback(&authority))
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn text(text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
