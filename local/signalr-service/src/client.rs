//! The client boundary: `/client/negotiate` and `/client/`, with the answers of ASP.NET Core's transports.

use crate::connection::{Connection, Identity};
use crate::names::{ConnectionId, ConnectionToken, HubName, UserId};
use crate::outbox::Outbox;
use crate::rest::{bearer, text, unauthorized};
use crate::service::{Shared, now};
use crate::token::TokenError;
use crate::token::audience::check_client;
use crate::transport::websocket;
use crate::wire::hub_protocol::Records;
use crate::wire::negotiation::{self, Version};
use crate::wire::query::Query;
use crate::wire::reply;
use crate::world::{ClaimRefusal, Standing};
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::sync::Arc;
use std::time::SystemTime;

pub(crate) async fn negotiate(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if method != Method::POST {
        return reply::method_not_allowed(&[Method::POST]);
    }
    let admitted = match admit(&shared, &uri, &headers) {
        Ok(admitted) => admitted,
        Err(reason) => return turn_away(&shared, reason),
    };
    let wanted = admitted.query.all("negotiateVersion").next();
    let body = match Version::for_client(wanted) {
        Some(version) => negotiated(&shared, admitted.hub, version),
        None => negotiation::refusal("The client requested an invalid protocol version."),
    };
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn negotiated(shared: &Shared, hub: HubName, version: Version) -> serde_json::Value {
    let id = ConnectionId(random_id().into());
    let token = ConnectionToken(match version {
        Version::Zero => id.0.to_string(),
        Version::One => random_id(),
    });
    let reply = negotiation::reply(version, &id, &token);
    let now = now();
    shared.world().negotiated(hub, token, id, now, now + shared.timings.connect);
    reply
}

pub(crate) async fn connect(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if ![Method::GET, Method::POST, Method::DELETE].contains(&method) {
        return reply::method_not_allowed(&[Method::GET, Method::POST, Method::DELETE]);
    }
    let admitted = match admit(&shared, &uri, &headers) {
        Ok(admitted) => admitted,
        Err(reason) => return turn_away(&shared, reason),
    };
    let token = admitted.query.all("id").next().map(|id| ConnectionToken(id.to_owned()));
    match upgrade {
        Ok(upgrade) => match arrive(&shared, admitted, token) {
            Ok(connection) => upgrade
                .max_message_size(Records::LONGEST)
                .on_upgrade(move |socket| websocket::serve(socket, connection)),
            Err(ClaimRefusal::Unknown) => no_such_connection(),
            Err(ClaimRefusal::InUse) => StatusCode::CONFLICT.into_response(),
        },
        Err(_) => no_web_socket(&shared, &method, &admitted.hub, token),
    }
}

/// A client whose token is good.
struct Admitted {
    hub: HubName,
    user: Option<UserId>,
    query: Query,
}

/// Why a client may not come in.
enum NotAdmitted {
    Query(&'static str),
    Token(TokenError),
    Fault(StatusCode),
}

fn admit(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> Result<Admitted, NotAdmitted> {
    let query = Query::parse(uri.query().unwrap_or_default());
    let query = query.map_err(|_| NotAdmitted::Query("The query is not text"))?;
    let hub = query.one("hub").ok().flatten().and_then(HubName::of_client);
    let hub = hub.ok_or(NotAdmitted::Query("The query must name one valid hub"))?;
    let user = authorize(shared, headers, &query, &hub).map_err(NotAdmitted::Token)?;
    match shared.faults.refused_clients() {
        Some(status) => Err(NotAdmitted::Fault(status)),
        None => Ok(Admitted { hub, user, query }),
    }
}

fn turn_away(shared: &Shared, reason: NotAdmitted) -> Response {
    match reason {
        NotAdmitted::Query(text) => plain(StatusCode::BAD_REQUEST, text),
        NotAdmitted::Token(error) => unauthorized(shared, &error),
        NotAdmitted::Fault(status) => plain(status, "New clients are refused"),
    }
}

fn authorize(
    shared: &Shared,
    headers: &HeaderMap,
    query: &Query,
    hub: &HubName,
) -> Result<Option<UserId>, TokenError> {
    // Browsers cannot set headers on WebSockets and event streams, so they put the token into the query.
    let token = bearer(headers).or_else(|| query.all("access_token").next()).ok_or(TokenError::Missing)?;
    let claims = shared.keys.verify(token, SystemTime::now())?;
    check_client(&claims, text(headers, HOST), hub)?;
    Ok(claims.user.map(UserId))
}

fn arrive(
    shared: &Arc<Shared>,
    admitted: Admitted,
    token: Option<ConnectionToken>,
) -> Result<Connection, ClaimRefusal> {
    let Admitted { hub, user, .. } = admitted;
    let outbox = Arc::new(Outbox::default());
    let mut world = shared.world();
    let (token, id) = match token {
        Some(token) => {
            let id = world.claim(&hub, &token, outbox.clone(), now())?;
            (token, id)
        }
        None => {
            let (token, id) = (ConnectionToken(random_id()), ConnectionId(random_id().into()));
            world.arrived(hub.clone(), token.clone(), id.clone(), outbox.clone());
            (token, id)
        }
    };
    drop(world);
    Ok(Connection::new(shared.clone(), Identity { hub, token, id, user }, outbox))
}

/// Requests of the other transports, which are not offered.
fn no_web_socket(
    shared: &Shared,
    method: &Method,
    hub: &HubName,
    token: Option<ConnectionToken>,
) -> Response {
    let Some(token) = token else {
        return plain(StatusCode::BAD_REQUEST, "Connection ID required");
    };
    match (shared.world().standing(hub, &token, now()), method) {
        (None, _) => no_such_connection(),
        (Some(_), &Method::POST) => {
            plain(StatusCode::METHOD_NOT_ALLOWED, "POST requests are not allowed for WebSocket connections")
        }
        (Some(_), &Method::DELETE) => {
            plain(StatusCode::BAD_REQUEST, "Only long polling connections can be ended by DELETE")
        }
        (Some(Standing::InUse), _) => {
            plain(StatusCode::BAD_REQUEST, "Cannot change transports mid-connection")
        }
        (Some(Standing::Negotiated), _) => {
            plain(StatusCode::NOT_FOUND, "Only the WebSockets transport is offered here")
        }
    }
}

fn no_such_connection() -> Response {
    plain(StatusCode::NOT_FOUND, "No Connection with that ID")
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, text).into_response()
}

/// 16 random bytes in base64url, as ASP.NET Core makes its ids: the npm client does not escape them.
fn random_id() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}
