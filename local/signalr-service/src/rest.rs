//! The REST boundary: turns an HTTP request into an operation on the world, and applies the scripted faults.

use crate::faults::RestFault;
use crate::listener::ConnectionAborter;
use crate::names::{ConnectionId, GroupName, HubName};
use crate::shared::Shared;
use crate::timings::now;
use crate::token::audience::{Requested, check_rest, client_audience};
use crate::token::{Claims, TokenError};
use crate::wire::hub_protocol::{Broadcast, CallResult, Invocation, ServerMessage};
use crate::wire::options::{self, Options};
use crate::wire::request::{bearer, media_type, read_body, text};
use crate::wire::route::{self, Operation, Route, RouteRefusal};
use crate::wire::{frames_body, listing, reply, send_body};
use crate::world::{Send, Target};
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{HOST, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;

pub(crate) async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(aborter): ConnectInfo<ConnectionAborter>,
    request: Request,
) -> Response {
    shared.tally.add(|counts| counts.rest_calls += 1);
    let response = match shared.faults.next_rest() {
        None => answer(&shared, request).await.unwrap_or_else(|refusal| refusal),
        Some(RestFault::Fail { status, retry_after }) => failed(status, retry_after),
        Some(RestFault::DropBefore) => {
            aborter.abort();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Some(RestFault::DropAfter) => {
            let response = answer(&shared, request).await.unwrap_or_else(|refusal| refusal);
            aborter.abort();
            response
        }
    };
    tokio::time::sleep(shared.faults.delay()).await;
    response
}

async fn answer(shared: &Shared, request: Request) -> Result<Response, Response> {
    let (parts, body) = request.into_parts();
    let call = match route::parse(&parts.method, parts.uri.path()).map_err(refused_route)? {
        Route::Health => return Ok(StatusCode::OK.into_response()),
        Route::Call(call) => call,
    };
    authorize(shared, &parts).map_err(|error| shared.unauthorized(&error))?;
    let query = parts.uri.query().unwrap_or_default();
    let options = options::read(&call, query).map_err(|error| reply::bad_request(&error.to_string()))?;
    let found = match &call.operation {
        Operation::Invoke(id) => {
            let invocation = read_invocation(&parts.headers, body).await?;
            return Ok(invoke(shared, &options.hub, id, invocation).await);
        }
        Operation::GenerateToken => return Ok(client_token(shared, &options, text(&parts.headers, HOST))),
        Operation::List(group) => return Ok(list(shared, &options, group, &parts)),
        Operation::Send(target) => {
            let message = read_message(&parts.headers, body).await?;
            send(shared, options, target.clone(), message);
            true
        }
        Operation::Close(whom) => close(shared, options, whom),
        Operation::Exists(subject) => shared.world().exists(&options.hub, subject, now()),
        Operation::Join(member, group) => {
            let (member, group) = (member.clone(), group.clone());
            shared.world().join(&options.hub, member, group, options.duration, now())
        }
        Operation::Leave(member, group) => shared.world().leave(&options.hub, member, group),
        Operation::LeaveAll(member) => {
            shared.world().leave_all(&options.hub, member);
            true
        }
    };
    Ok(if found { reply::done(call.api, &call.operation) } else { reply::missing(&call.operation) })
}

fn refused_route(refusal: RouteRefusal) -> Response {
    match refusal {
        RouteRefusal::NotFound => {
            reply::refused(StatusCode::NOT_FOUND, "NotFound", "no operation has this path")
        }
        RouteRefusal::Method(allowed) => reply::method_not_allowed(&allowed),
        RouteRefusal::BadPart(part) => reply::bad_request(&format!("the {part} in the path is invalid")),
    }
}

fn authorize(shared: &Shared, parts: &Parts) -> Result<Claims, TokenError> {
    let token = bearer(&parts.headers).ok_or(TokenError::Missing)?;
    let claims = shared.keys.verify(token, SystemTime::now())?;
    let requested = Requested {
        host: text(&parts.headers, HOST),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
    };
    check_rest(&claims, requested)?;
    Ok(claims)
}

/// A message in JSON, or as frames for the protocols of its clients.
async fn read_message(headers: &HeaderMap, body: Body) -> Result<Broadcast, Response> {
    match media_type(headers).as_str() {
        "application/octet-stream" | "application/x-msgpack" => {
            let bytes = read_body(body).await?;
            frames_body::parse(&bytes).map_err(|error| reply::bad_request(&error.to_string()))
        }
        _ => Ok(ServerMessage::Invocation(read_invocation(headers, body).await?).into()),
    }
}

async fn read_invocation(headers: &HeaderMap, body: Body) -> Result<Invocation, Response> {
    if media_type(headers) != "application/json" {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(reply::refused(status, "UnsupportedMediaType", "the body must be application/json"));
    }
    let bytes = read_body(body).await?;
    send_body::parse(&bytes).map_err(|error| reply::bad_request(&error.to_string()))
}

fn send(shared: &Shared, options: Options, to: Target, message: Broadcast) {
    let Options { hub, excluded, .. } = options;
    let excluded = match to {
        Target::All | Target::Group(_) => excluded,
        Target::User(_) | Target::Connection(_) => HashSet::new(),
    };
    shared.world().send(Send { hub, to, excluded, message }, now());
}

/// `false` when the target is one connection that does not exist.
fn close(shared: &Shared, options: Options, whom: &Target) -> bool {
    let Options { hub, excluded, reason, .. } = options;
    let one = matches!(whom, Target::Connection(_));
    let excluded = if one { HashSet::new() } else { excluded };
    let last_message = ServerMessage::Close { error: reason }.into();
    let closed = shared.world().close(&hub, whom, &excluded, &last_message, now());
    !one || closed > 0
}

/// A token for a client that connects to the hub at `host`.
fn client_token(shared: &Shared, options: &Options, host: &str) -> Response {
    let audience = client_audience(host, &options.hub);
    let expires = SystemTime::now() + options.lifetime;
    let token = shared.keys.client_token(&audience, options.user.as_deref(), expires);
    reply::json_text(json!({ "token": token }).to_string())
}

fn list(shared: &Shared, options: &Options, group: &GroupName, parts: &Parts) -> Response {
    let members = shared.world().members(&options.hub, group, now());
    let url = format!("http://{}{}", text(&parts.headers, HOST), parts.uri.path());
    let query = parts.uri.query().unwrap_or_default();
    reply::json_text(listing::reply(&members, &options.page, &url, query).to_string())
}

async fn invoke(shared: &Shared, hub: &HubName, id: &ConnectionId, invocation: Invocation) -> Response {
    let Some(outcome) = shared.world().invoke(hub, id, invocation) else {
        return reply::missing(&Operation::Invoke(id.clone()));
    };
    match timeout(shared.timings.client_result, outcome).await {
        Ok(Ok(CallResult::Returned(json))) => reply::client_result(&json),
        Ok(Ok(CallResult::Failed(error))) => reply::no_client_result("ClientError", &error),
        Ok(Err(_)) => reply::no_client_result("ConnectionEnded", "the connection ended without an answer"),
        Err(_) => reply::no_client_result("Timeout", "the client did not answer in time"),
    }
}

fn failed(status: StatusCode, retry_after: Option<Duration>) -> Response {
    let mut response = reply::refused(status, "InjectedFault", "this failure was injected for a test");
    if let Some(wait) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    response
}
