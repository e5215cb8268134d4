//! The application's webhooks ("upstream"): events of client connections are posted there, and their responses answer
//! the calls of clients. One task per connection posts its events one after the other.

mod answer;
mod event;
mod template;

pub use template::Upstream;

use crate::identity::Identity;
use crate::names::HubName;
use crate::outbox::Recipient;
use crate::token::Keys;
use answer::UpstreamReply;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use event::Event;
use futures_util::StreamExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

/// Calls of one client that wait for the upstream; a client with more of them is closed.
const WAITING_CALLS: usize = 64;

/// The largest reply that the service passes on.
const LARGEST_REPLY: usize = 16 * 1024 * 1024;

/// The configured webhooks, and the client that calls them.
pub(crate) struct Upstreams {
    templates: Vec<Upstream>,
    keys: Arc<Keys>,
    http: Client<HttpConnector, Body>,
    patience: Duration,
    stopping: watch::Receiver<bool>,
}

/// A client's call on its way to the upstream.
pub(crate) struct UpstreamCall {
    pub(crate) url: String,
    pub(crate) id: Option<String>,
    pub(crate) method: String,
    /// The call as the client wrote it, without its framing.
    pub(crate) record: Bytes,
}

/// Too many calls of the client still wait for the upstream.
pub(crate) struct TooMany;

impl Upstreams {
    pub(crate) fn new(
        templates: Vec<Upstream>,
        keys: Arc<Keys>,
        patience: Duration,
        stopping: watch::Receiver<bool>,
    ) -> Upstreams {
        let http = Client::builder(TokioExecutor::new()).build_http();
        Upstreams { templates, keys, http, patience, stopping }
    }

    /// The URL for a call of `method`, if an upstream matches.
    pub(crate) fn url_of_call(&self, hub: &HubName, method: &str) -> Option<String> {
        self.url(hub, event::MESSAGES, method)
    }

    fn url(&self, hub: &HubName, category: &str, event: &str) -> Option<String> {
        self.templates.iter().find_map(|template| template.url(hub.as_str(), category, event))
    }

    /// Without a reply in time the result is 500, as in the official emulator.
    async fn post(&self, request: Request<Body>) -> UpstreamReply {
        let exchange = async {
            let response = self.http.request(request).await.ok()?;
            let status = response.status();
            read(Body::new(response.into_body()), status).await
        };
        let reply = timeout(self.patience, exchange).await.ok().flatten();
        reply.unwrap_or(UpstreamReply::Answered {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            body: Bytes::new(),
        })
    }
}

async fn read(body: Body, status: StatusCode) -> Option<UpstreamReply> {
    let (mut chunks, mut body) = (body.into_data_stream(), Vec::new());
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.ok()?);
        if body.len() > LARGEST_REPLY {
            return Some(UpstreamReply::TooLarge);
        }
    }
    Some(UpstreamReply::Answered { status, body: body.into() })
}

/// Posts the events of one connection. The end of the connection is posted after all calls.
pub(crate) struct Feed {
    calls: mpsc::Sender<UpstreamCall>,
    end: oneshot::Sender<Option<String>>,
}

impl Feed {
    /// Posts that the connection was opened; `None` when no upstream is configured. A refusal is ignored, as in the
    /// official emulator; what the service does is not documented.
    pub(crate) fn open(
        upstreams: &Arc<Upstreams>,
        who: &Arc<Identity>,
        recipient: &Recipient,
    ) -> Option<Feed> {
        if upstreams.templates.is_empty() {
            return None;
        }
        let (upstreams, who, recipient) = (upstreams.clone(), who.clone(), recipient.clone());
        let (calls, waiting) = mpsc::channel(WAITING_CALLS);
        let (end, ended) = oneshot::channel();
        let mut stopping = upstreams.stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                // Checked first, because a stop ends connections without an event. An error means that the service
                // was dropped, which stops it as well.
                biased;
                _ = stopping.wait_for(|stop| *stop) => {}
                () = tell_all(&upstreams, &who, &recipient, waiting, ended) => {}
            }
        });
        Some(Feed { calls, end })
    }

    pub(crate) fn take(&self, call: UpstreamCall) -> Result<(), TooMany> {
        self.calls.try_send(call).map_err(|_| TooMany)
    }

    /// The connection has ended; `error` is the reason if it failed.
    pub(crate) fn end(self, error: Option<String>) {
        let _unless_stopped = self.end.send(error);
    }
}

async fn tell_all(
    upstreams: &Upstreams,
    who: &Identity,
    recipient: &Recipient,
    mut calls: mpsc::Receiver<UpstreamCall>,
    ended: oneshot::Receiver<Option<String>>,
) {
    tell(upstreams, who, &Event::Connected).await;
    while let Some(UpstreamCall { url, id, method, record }) = calls.recv().await {
        let protocol = recipient.protocol;
        let event = Event::Message { method: &method, record, protocol };
        let reply = upstreams.post(event::request(&url, who, &event, &upstreams.keys)).await;
        if let Some(id) = id {
            recipient.tell(&answer::to(id, protocol, reply));
        }
    }
    let error = ended.await.unwrap_or_default();
    tell(upstreams, who, &Event::Disconnected { error: error.as_deref() }).await;
}

async fn tell(upstreams: &Upstreams, who: &Identity, event: &Event<'_>) {
    if let Some(url) = upstreams.url(&who.hub, event.category(), event.name()) {
        upstreams.post(event::request(&url, who, event, &upstreams.keys)).await;
    }
}
