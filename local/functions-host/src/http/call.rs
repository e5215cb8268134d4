//! One HTTP call of a function: key check, then the client's own request or an envelope to the handler.

use std::time::Instant;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header, request::Parts,
        response,
    },
};

use super::{HttpFunction, Site, address, output, query::Query, status, template::Parameters};
use crate::{
    app::function::http::{AuthLevel, Delivery},
    envelope::{Stamp, request},
    failure::Failure,
    guid::Guid,
    invoke::{attempts::Attempts, request::append_invocation_headers},
};

/// The real host's default limit for a request body.
const BODY_LIMIT: usize = 104_857_600;

/// Headers of one connection or one transfer, which are not forwarded.
const HOP_HEADERS: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Headers that belong to the content in .NET, of which only type and length are forwarded.
const DROPPED_CONTENT_HEADERS: [HeaderName; 9] = [
    header::ALLOW,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::EXPIRES,
    header::LAST_MODIFIED,
    HeaderName::from_static("content-md5"),
];

/// A call with its whole body.
struct Received {
    parts: Parts,
    query: Query,
    parameters: Parameters,
    /// Empty for chunked uploads, which the real host loses as well.
    body: Bytes,
}

impl Site {
    pub(super) async fn call(
        &self,
        function: &HttpFunction,
        parameters: Parameters,
        request: Request,
    ) -> Response<Body> {
        let begun = Instant::now();
        let subject = format!("{} {}", request.method(), request.uri().path());
        let opened = match function.trigger.level {
            AuthLevel::Anonymous => true,
            AuthLevel::Function => self.has_key(&request),
            AuthLevel::Admin => false,
        };
        let response = if opened {
            self.call_opened(function, parameters, request).await
        } else {
            status(StatusCode::UNAUTHORIZED)
        };
        self.invoker.log.info(
            &function.name,
            format_args!("{subject} -> {} in {} ms", response.status().as_u16(), begun.elapsed().as_millis()),
        );
        response
    }

    async fn call_opened(
        &self,
        function: &HttpFunction,
        parameters: Parameters,
        request: Request,
    ) -> Response<Body> {
        let Some(received) = Received::read(request, parameters).await else {
            return status(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let mut attempts = Attempts::new(function.retry.as_ref());
        loop {
            let failure = match self.execute(function, &received, &attempts).await {
                Ok(response) => return response,
                Err(failure) => failure,
            };
            let announce = |text: &dyn std::fmt::Display| self.invoker.log.warn(&function.name, text);
            if attempts.pause_after(failure, &self.invoker.status, announce).await.is_err() {
                return status(StatusCode::INTERNAL_SERVER_ERROR);
            }
        }
    }

    async fn execute(
        &self,
        function: &HttpFunction,
        received: &Received,
        attempts: &Attempts<'_>,
    ) -> Result<Response<Body>, Failure> {
        if function.trigger.delivery == Delivery::Forwarded {
            let (parts, body) = self.invoker.forward(&function.name, received.to_forward()).await?;
            return Ok(pass_on(&received.parts.method, parts, body));
        }
        let stamp = Stamp { now: jiff::Timestamp::now(), guid: Guid::random() };
        let retry = attempts.context();
        let envelope =
            request::envelope(&function.name, &function.trigger, &received.as_call(), &stamp, retry.as_ref());
        let reply = self.invoker.run(&function.name, envelope.into_text(), None).await?;
        let response = output::to_response(function.trigger.output.as_deref(), &reply);
        response.map_err(|problem| self.invoker.reject_output(&function.name, problem))
    }
}

impl Received {
    /// `None` when the body is larger than the host allows.
    async fn read(request: Request, parameters: Parameters) -> Option<Received> {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, BODY_LIMIT).await.ok()?;
        let has_length = parts.headers.contains_key(header::CONTENT_LENGTH);
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let body = if has_length { bytes } else { Bytes::new() };
        Some(Received { parts, query, parameters, body })
    }

    fn as_call(&self) -> request::Call<'_> {
        let host =
            self.parts.headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let path = self.parts.uri.path_and_query().map_or("/", |path| path.as_str());
        request::Call {
            method: &self.parts.method,
            url: format!("http://{host}{path}"),
            query: &self.query,
            headers: &self.parts.headers,
            parameters: &self.parameters,
            body: &self.body,
        }
    }

    /// The client's request as the handler gets it (azure-functions-host, `HttpRequestExtensions`).
    fn to_forward(&self) -> axum::http::Request<Bytes> {
        let mut request = axum::http::Request::new(self.body.clone());
        *request.method_mut() = self.parts.method.clone();
        let query = self.query.encode();
        let separator = if query.is_empty() { "" } else { "?" };
        let path = address::decoded(self.parts.uri.path()).unwrap_or_default();
        let path = address::forwarded(&path, self.parts.uri.query().is_some_and(|query| !query.is_empty()));
        let target = format!("{path}{separator}{query}");
        *request.uri_mut() = target.parse().unwrap_or_else(|_| Uri::from_static("/"));
        let mut headers = joined(&self.parts.headers);
        for name in HOP_HEADERS.iter().chain(&DROPPED_CONTENT_HEADERS) {
            headers.remove(name);
        }
        if self.body.is_empty() {
            headers.remove(header::CONTENT_LENGTH);
            headers.remove(header::CONTENT_TYPE);
        }
        append_invocation_headers(&mut headers, Guid::random());
        *request.headers_mut() = headers;
        request
    }
}

/// One line per header, as .NET writes them.
fn joined(headers: &HeaderMap) -> HeaderMap {
    let mut lines = HeaderMap::new();
    for name in headers.keys() {
        let separator: &[u8] = if *name == header::COOKIE { b"; " } else { b", " };
        let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(line) = HeaderValue::from_bytes(&values.join(separator)) {
            lines.insert(name, line);
        }
    }
    lines
}

/// The handler's response as it is, errors included.
fn pass_on(method: &Method, parts: response::Parts, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    for name in &HOP_HEADERS {
        response.headers_mut().remove(name);
    }
    // Only a response to HEAD has a length that is not its own.
    if *method != Method::HEAD {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}
