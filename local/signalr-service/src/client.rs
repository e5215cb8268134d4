//! The client boundary: `/client/negotiate` and `/client/`, with the responses of ASP.NET Core's transports.

use crate::connection::Connection;
use crate::identity::Identity;
use crate::listener::ConnectionAborter;
use crate::names::{ConnectionId, ConnectionToken, HubName, UserId};
use crate::outbox::Outbox;
use crate::shared::Shared;
use crate::timings::now;
use crate::token::audience::check_client;
use crate::token::{Claims, TokenError};
use crate::transport::{InboundChannel, PollingRequest, Transport, events, polling, pump};
use crate::wire::hub_protocol::Records;
use crate::wire::negotiation::{self, Version};
use crate::wire::query::Query;
use crate::wire::reply;
use crate::wire::request::{bearer, read_body, text};
use crate::world::{AttachedTransport, ClaimRefusal};
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, HOST};
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
    if let Some(status) = shared.faults.refused_clients() {
        return refused_client(status).into_response();
    }
    let wanted = admitted.query.all("negotiateVersion").next();
    let body = match Version::for_client(wanted) {
        Some(version) => negotiated(&shared, admitted, version),
        None => negotiation::refusal("The client requested an invalid protocol version."),
    };
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn negotiated(shared: &Shared, admitted: Admitted, version: Version) -> serde_json::Value {
    let id = ConnectionId(random_id().into());
    let token = ConnectionToken(match version {
        Version::Zero => id.0.to_string(),
        Version::One => random_id(),
    });
    let reply = negotiation::reply(version, &id, &token, admitted.claims.transports);
    let now = now();
    shared.world().negotiated(admitted.hub, token, id, now, now + shared.timings.connect);
    reply
}

pub(crate) async fn connect(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(aborter): ConnectInfo<ConnectionAborter>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    answer(&shared, aborter, upgrade.ok(), request).await.unwrap_or_else(|refusal| refusal)
}

async fn answer(
    shared: &Arc<Shared>,
    aborter: ConnectionAborter,
    upgrade: Option<WebSocketUpgrade>,
    request: Request,
) -> Result<Response, Response> {
    let (parts, body) = request.into_parts();
    if ![Method::GET, Method::POST, Method::DELETE].contains(&parts.method) {
        return Err(reply::method_not_allowed(&[Method::GET, Method::POST, Method::DELETE]));
    }
    let admitted = admit(shared, &parts.uri, &parts.headers);
    let admitted = admitted.map_err(|reason| turn_away(shared, reason))?;
    if let Some(upgrade) = upgrade {
        return Ok(by_web_socket(shared, admitted, upgrade)?);
    }
    match parts.method {
        Method::POST => take_send(shared, &admitted, body).await,
        Method::DELETE => Ok(end(shared, &admitted).await?),
        _ if text(&parts.headers, ACCEPT).contains("text/event-stream") => {
            Ok(by_events(shared, admitted, aborter)?)
        }
        _ => Ok(by_poll(shared, admitted, aborter).await?),
    }
}

/// A client with a valid token.
struct Admitted {
    hub: HubName,
    claims: Claims,
    query: Query,
    /// The query as the client wrote it.
    asked: String,
}

impl Admitted {
    /// The secret token of the connection that the request is for.
    fn token(&self) -> Option<ConnectionToken> {
        self.query.all("id").next().map(|id| ConnectionToken(id.to_owned()))
    }
}

/// Why a client is refused.
enum NotAdmitted {
    Query(&'static str),
    Token(TokenError),
}

fn admit(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> Result<Admitted, NotAdmitted> {
    let query = Query::parse(uri.query().unwrap_or_default());
    let query = query.map_err(|_| NotAdmitted::Query("The query is not text"))?;
    let hub = query.one("hub").ok().flatten().and_then(HubName::of_client);
    let hub = hub.ok_or(NotAdmitted::Query("The query must name one valid hub"))?;
    let claims = authorize(shared, headers, &query, &hub).map_err(NotAdmitted::Token)?;
    Ok(Admitted { hub, claims, query, asked: uri.query().unwrap_or_default().to_owned() })
}

fn turn_away(shared: &Shared, reason: NotAdmitted) -> Response {
    match reason {
        NotAdmitted::Query(text) => Refusal(StatusCode::BAD_REQUEST, text).into_response(),
        NotAdmitted::Token(error) => shared.unauthorized(&error),
    }
}

fn authorize(
    shared: &Shared,
    headers: &HeaderMap,
    query: &Query,
    hub: &HubName,
) -> Result<Claims, TokenError> {
    // Browsers cannot set headers on WebSockets and event streams, so they put the token into the query.
    let token = bearer(headers).or_else(|| query.all("access_token").next()).ok_or(TokenError::Missing)?;
    let claims = shared.keys.verify(token, SystemTime::now())?;
    check_client(&claims, text(headers, HOST), hub)?;
    Ok(claims)
}

fn by_web_socket(
    shared: &Arc<Shared>,
    admitted: Admitted,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let token = admitted.token();
    let connection = arrive(shared, admitted, token, InboundChannel::WebSockets)?;
    let upgrade = upgrade.max_message_size(Records::LONGEST);
    Ok(upgrade.on_upgrade(move |socket| pump::run(socket, connection)))
}

fn by_events(
    shared: &Arc<Shared>,
    admitted: Admitted,
    aborter: ConnectionAborter,
) -> Result<Response, Refusal> {
    let token = Some(admitted.token().ok_or(NO_CONNECTION_ID)?);
    let (stream, inbound, response) = events::open(aborter);
    let connection = arrive(shared, admitted, token, inbound)?;
    tokio::spawn(pump::run(stream, connection));
    Ok(response)
}

/// The first poll opens the connection and is answered at once; later polls wait for frames.
async fn by_poll(
    shared: &Arc<Shared>,
    admitted: Admitted,
    aborter: ConnectionAborter,
) -> Result<Response, Refusal> {
    let token = admitted.token().ok_or(NO_CONNECTION_ID)?;
    let known = shared.world().inbound(&admitted.hub, &token);
    if let Some(InboundChannel::LongPolling { requests, .. }) = known {
        return polling::poll(&requests, aborter).await.ok_or(NO_CONNECTION);
    }
    let (polls, inbound) = polling::open(admitted.claims.poll.unwrap_or(shared.timings.poll));
    let connection = arrive(shared, admitted, Some(token), inbound)?;
    tokio::spawn(pump::run(polls, connection));
    Ok(polling::opened())
}

/// Attaches a transport to the connection that was negotiated as `token`, or to a new one.
fn arrive(
    shared: &Arc<Shared>,
    admitted: Admitted,
    token: Option<ConnectionToken>,
    inbound: InboundChannel,
) -> Result<Connection, Refusal> {
    if let Some(status) = shared.faults.refused_clients() {
        return Err(refused_client(status));
    }
    let transport = inbound.transport();
    if !admitted.claims.transports.allow(transport) {
        return Err(Refusal(StatusCode::NOT_FOUND, "The token does not allow this transport"));
    }
    let Admitted { hub, claims, asked, .. } = admitted;
    let outbox = Arc::new(Outbox::default());
    let attached = AttachedTransport { outbox: outbox.clone(), inbound };
    let mut world = shared.world();
    let (token, id) = match token {
        Some(token) => match world.claim(&hub, &token, attached, now()) {
            Ok(id) => (token, id),
            Err(refusal) => return Err(not_claimed(refusal, transport)),
        },
        None => {
            let (token, id) = (ConnectionToken(random_id()), ConnectionId(random_id().into()));
            world.arrived(hub.clone(), token.clone(), id.clone(), attached);
            (token, id)
        }
    };
    drop(world);
    let Claims { user, told, .. } = claims;
    let identity = Identity { hub, token, id, user: user.map(UserId), claims: told, query: asked };
    Ok(Connection::new(shared.clone(), identity, transport, outbox))
}

fn not_claimed(refusal: ClaimRefusal, transport: Transport) -> Refusal {
    match refusal {
        ClaimRefusal::Unknown => NO_CONNECTION,
        ClaimRefusal::InUse(by) if by == transport => {
            Refusal(StatusCode::CONFLICT, "The connection has its transport already")
        }
        ClaimRefusal::InUse(_) => Refusal(StatusCode::BAD_REQUEST, "Cannot change transports mid-connection"),
    }
}

/// A client's send, over a transport whose connection carries only the other direction.
async fn take_send(shared: &Shared, admitted: &Admitted, body: Body) -> Result<Response, Response> {
    let sends = match inbound(shared, admitted)? {
        InboundChannel::WebSockets => {
            let text = "POST requests are not allowed for WebSocket connections";
            return Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, text).into());
        }
        InboundChannel::ServerSentEvents { sends } | InboundChannel::LongPolling { sends, .. } => sends,
    };
    let data = read_body(body).await?;
    sends.send(data.into()).await.map_err(|_| NO_CONNECTION)?;
    Ok(StatusCode::OK.into_response())
}

async fn end(shared: &Shared, admitted: &Admitted) -> Result<Response, Refusal> {
    let InboundChannel::LongPolling { requests, .. } = inbound(shared, admitted)? else {
        let text = "Only long polling connections can be ended by DELETE";
        return Err(Refusal(StatusCode::BAD_REQUEST, text));
    };
    requests.send(PollingRequest::End).await.map_err(|_| NO_CONNECTION)?;
    Ok(StatusCode::ACCEPTED.into_response())
}

fn inbound(shared: &Shared, admitted: &Admitted) -> Result<InboundChannel, Refusal> {
    let token = admitted.token().ok_or(NO_CONNECTION_ID)?;
    shared.world().inbound(&admitted.hub, &token).ok_or(NO_CONNECTION)
}

/// A refused request, with the text for its sender.
struct Refusal(StatusCode, &'static str);

const NO_CONNECTION: Refusal = Refusal(StatusCode::NOT_FOUND, "No Connection with that ID");
const NO_CONNECTION_ID: Refusal = Refusal(StatusCode::BAD_REQUEST, "Connection ID required");

fn refused_client(status: StatusCode) -> Refusal {
    Refusal(status, "New clients are refused")
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Response {
        refusal.into_response()
    }
}

/// 16 random bytes in base64url, like the ids of ASP.NET Core, because the npm client does not escape them.
fn random_id() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}
