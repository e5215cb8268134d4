//! The door: finds the function that a request is for, makes a typed call of it, and gives the answer in the form that
//! the host waits for.
//!
//! Whether clients' calls come forwarded or wrapped is decided by host.json, once, and never by looking into a body: a
//! forwarded body is the client's, and may look like an envelope that names any principal.

use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::host::answer::Answer;
use crate::host::call::Call;
use crate::host::callers::{BadPrincipal, Callers};
use crate::host::collect::collect;
use crate::host::functions::{Access, AnswersBatch, Function, Http, Kind, Size};
use crate::host::host_json::{Calls, HostJson};
use crate::host::routes::{self, Parameters};
use crate::host::{compression, envelope};

/// A batch is at most 32 MiB on the wire of the hub (host.json limits the prefetch), a third more as base64, and the
/// metadata of small events can be larger than their bodies. A batch that is refused for its size comes back for ever,
/// so the limit only keeps out what cannot be a batch.
const LARGEST_BATCH: usize = 512 * 1024 * 1024;

/// Clients send a connection id at most.
pub(crate) const LARGEST_CALL: usize = 64 * 1024;

/// The functions of the app, and how the host hands over calls of them.
pub(crate) struct Door<P: 'static> {
    pub(crate) functions: &'static [Function<P>],
    pub(crate) host: HostJson,
    pub(crate) callers: Callers,
}

/// What a request is for.
enum Found<'a, P: 'static> {
    Trigger(AnswersBatch<P>),
    Forwarded(&'a Http<P>, Parameters),
    Wrapped(&'a Http<P>),
}

impl<P> Door<P> {
    /// Answers a request of the host with the function that it is for.
    pub(crate) async fn answer(&self, parts: &P, request: Request) -> Response {
        match self.find(request.uri().path()) {
            Some(Found::Trigger(run)) => trigger(parts, run, request).await.into_response(),
            Some(Found::Forwarded(http, parameters)) => {
                self.forwarded(parts, http, parameters, request).await
            }
            Some(Found::Wrapped(http)) => self.wrapped(parts, http, request).await,
            None => self.not_found(request.uri().path()).into_response(),
        }
    }

    /// A trigger's address is the trigger's, whatever the prefix and the other routes are. It has one spelling: the host
    /// posts to the function's name as it is, and no client does.
    fn find(&self, path: &str) -> Option<Found<'_, P>> {
        let name = path.strip_prefix('/')?;
        let named = self.functions.iter().find(|function| function.name == name);
        match (named.map(|function| &function.kind), self.host.calls) {
            (Some(Kind::Trigger(run) | Kind::Timer(run)), _) => Some(Found::Trigger(*run)),
            (Some(Kind::Http(http)), Calls::Wrapped) => Some(Found::Wrapped(http)),
            (None, Calls::Wrapped) => None,
            (_, Calls::Forwarded) => self.functions.iter().find_map(|function| match &function.kind {
                Kind::Http(http) => {
                    let parameters = routes::read(&self.host.prefix, http.route, path)?;
                    Some(Found::Forwarded(http, parameters))
                }
                Kind::Trigger(_) | Kind::Timer(_) => None,
            }),
        }
    }

    async fn forwarded(
        &self,
        parts: &P,
        http: &Http<P>,
        parameters: Parameters,
        request: Request,
    ) -> Response {
        let (head, body) = request.into_parts();
        let accepted = text_of(&head.headers, "accept-encoding");
        let answer = match collect(body, LARGEST_CALL).await {
            Ok(body) => match self.forwarded_call(http, parameters, head, body.into()) {
                Ok(call) => run(parts, http, call).await,
                Err(error) => unnamed(&error),
            },
            Err(error) => Answer::uncollected(&error, LARGEST_CALL),
        };
        match http.size {
            Size::Large => compression::compressed(answer.into_response(), accepted.as_deref()),
            Size::Small => answer.into_response(),
        }
    }

    fn forwarded_call(
        &self,
        http: &Http<P>,
        parameters: Parameters,
        head: Parts,
        body: Bytes,
    ) -> Result<Call, BadPrincipal> {
        Ok(Call {
            form: Calls::Forwarded,
            parameters,
            query: head.uri.query().unwrap_or_default().to_owned(),
            if_none_match: text_of(&head.headers, "if-none-match"),
            user: self.user(http, |name| head.headers.get_all(name).iter().map(HeaderValue::as_bytes))?,
            body,
            method: head.method,
        })
    }

    /// Everything that was wrapped is answered in an envelope.
    async fn wrapped(&self, parts: &P, http: &Http<P>, request: Request) -> Response {
        if request.method() != Method::POST {
            return Answer::wrong_method("POST").into_response();
        }
        let envelope = match collect(request.into_body(), LARGEST_CALL).await {
            Ok(envelope) => envelope,
            Err(error) => return Answer::uncollected(&error, LARGEST_CALL).into_response(),
        };
        let wrapped = match envelope::read_http_call(&envelope) {
            Ok(wrapped) => wrapped,
            Err(error) => {
                return Answer::error(StatusCode::BAD_REQUEST, "bad_envelope", &error.to_string())
                    .into_response();
            }
        };
        let answer = match self.wrapped_call(http, wrapped) {
            Ok(Some(call)) => run(parts, http, call).await,
            Ok(None) => Answer::wrong_method(&http.allowed()),
            Err(error) => unnamed(&error),
        };
        answer.into_envelope().await
    }

    /// `None` where the method is not even the name of one.
    fn wrapped_call(
        &self,
        http: &Http<P>,
        wrapped: envelope::HttpCall,
    ) -> Result<Option<Call>, BadPrincipal> {
        let Ok(method) = wrapped.method.parse() else { return Ok(None) };
        let (path, query) = wrapped.target.split_once('?').unwrap_or((&wrapped.target, ""));
        Ok(Some(Call {
            form: Calls::Wrapped,
            method,
            parameters: routes::read(&self.host.prefix, http.route, path).unwrap_or_default(),
            query: query.to_owned(),
            if_none_match: wrapped.headers.get("if-none-match").cloned(),
            user: self.user(http, |name| wrapped.headers.get(name).map(String::as_bytes).into_iter())?,
            body: wrapped.body.into(),
        }))
    }

    fn user<'h, Values: Iterator<Item = &'h [u8]>>(
        &self,
        http: &Http<P>,
        headers: impl Fn(&'static str) -> Values,
    ) -> Result<Option<String>, BadPrincipal> {
        match http.access {
            Access::Anonymous => Ok(None),
            Access::Named => self.callers.user(headers),
        }
    }

    /// No function has this address; those that clients can call are named.
    fn not_found(&self, path: &str) -> Answer {
        let addresses: Vec<String> = self.functions.iter().filter_map(|one| self.address(one)).collect();
        let (last, others) = addresses.split_last().map_or(("", &[][..]), |(last, rest)| (last, rest));
        let sentence = format!("there is no function at {path}; try {} or {last}", others.join(", "));
        Answer::error(StatusCode::NOT_FOUND, "not_found", &sentence)
    }

    /// Where this process serves a function that clients can call.
    fn address(&self, function: &Function<P>) -> Option<String> {
        match (&function.kind, self.host.calls) {
            (Kind::Trigger(_) | Kind::Timer(_), _) => None,
            (Kind::Http(http), Calls::Forwarded) => Some(routes::address(&self.host.prefix, http.route)),
            (Kind::Http(_), Calls::Wrapped) => Some(routes::address("", function.name)),
        }
    }
}

async fn trigger<P>(parts: &P, run: AnswersBatch<P>, request: Request) -> Answer {
    if request.method() != Method::POST {
        return Answer::wrong_method("POST");
    }
    if let Err(answer) = check_invocation(request.headers()) {
        return answer;
    }
    match collect(request.into_body(), LARGEST_BATCH).await {
        Ok(batch) => run(parts, batch).await,
        Err(error) => Answer::uncollected(&error, LARGEST_BATCH),
    }
}

/// The answer of a function to a call with one of its methods.
async fn run<P>(parts: &P, http: &Http<P>, call: Call) -> Answer {
    match http.allows(&call.method) {
        true => (http.answers)(parts, &call).await,
        false => Answer::wrong_method(&http.allowed()),
    }
}

/// What the host's posts have and a page in a browser cannot send without asking first, which nobody answers here.
fn check_invocation(headers: &HeaderMap) -> Result<(), Answer> {
    const EXPECTED: &str = "a trigger takes what the Functions host posts: by hand, send an envelope with the headers \
                            `Content-Type: application/json` and `X-Azure-Functions-InvocationId: <any id>`";
    if !headers.get("content-type").is_some_and(is_json) {
        return Err(Answer::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", EXPECTED));
    }
    match headers.get("x-azure-functions-invocationid") {
        Some(id) if !id.is_empty() => Ok(()),
        _ => Err(Answer::error(StatusCode::BAD_REQUEST, "no_invocation", EXPECTED)),
    }
}

/// `application/json`, with or without parameters.
fn is_json(content_type: &HeaderValue) -> bool {
    let media_type = content_type.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

fn unnamed(error: &BadPrincipal) -> Answer {
    Answer::error(StatusCode::BAD_REQUEST, "bad_principal", &error.to_string())
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
