//! The application's webhooks ("upstream"): what happens on client connections is posted there, and the answers to
//! clients' calls come back from there. One task per connection posts its events one after the other.

mod answer;
mod event;
mod template;

pub use template::Upstream;

use crate::connection::Identity;
use crate::names::HubName;
use crate::outbox::Recipient;
use crate::service::Shared;
use answer::Reply;
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

/// The configured webhooks and the way to them.
pub(crate) struct Upstreams {
    templates: Vec<Upstream>,
    http: Client<HttpConnector, Body>,
    patience: Duration,
    stopping: watch::Receiver<bool>,
}

/// A client's call on its way to the upstream.
pub(crate) struct Call {
    pub(crate) url: String,
    pub(crate) id: Option<String>,
    pub(crate) method: String,
    /// The call as the client wrote it, without its framing.
    pub(crate) record: Bytes,
}

/// The upstream has not answered so many earlier calls of the client.
pub(crate) struct TooMany;

impl Upstreams {
    pub(crate) fn new(
        templates: Vec<Upstream>,
        patience: Duration,
        stopping: watch::Receiver<bool>,
    ) -> Upstreams {
        let http = Client::builder(TokioExecutor::new()).build_http();
        Upstreams { templates, http, patience, stopping }
    }

    /// Where a call of `method` goes, if anywhere.
    pub(crate) fn url_of_call(&self, hub: &HubName, method: &str) -> Option<String> {
        self.url(hub, event::MESSAGES, method)
    }

    fn url(&self, hub: &HubName, category: &str, event: &str) -> Option<String> {
        self.templates.iter().find_map(|template| template.url(hub.as_str(), category, event))
    }

    /// A reply that does not come counts as 500, as in the official emulator.
    async fn post(&self, request: Request<Body>) -> Reply {
        let exchange = async {
            let response = self.http.request(request).await.ok()?;
            let status = response.status();
            read(Body::new(response.into_body()), status).await
        };
        let reply = timeout(self.patience, exchange).await.ok().flatten();
        reply.unwrap_or(Reply::Answered { status: StatusCode::INTERNAL_SERVER_ERROR, body: Bytes::new() })
    }
}

async fn read(body: Body, status: StatusCode) -> Option<Reply> {
    let (mut chunks, mut body) = (body.into_data_stream(), Vec::new());
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.ok()?);
        if body.len() > LARGEST_REPLY {
            return Some(Reply::TooLarge);
        }
    }
    Some(Reply::Answered { status, body: body.into() })
}

/// A connection's way to the upstream. Its end is told there, after all that came before.
pub(crate) struct Feed {
    calls: mpsc::Sender<Call>,
    end: oneshot::Sender<Option<String>>,
}

impl Feed {
    /// Tells the upstream of the connection; `None` when there is none. A refusal changes nothing, as in the official emulator; what the
    /// service does is not documented.
    pub(crate) fn open(shared: &Arc<Shared>, who: &Arc<Identity>, recipient: &Recipient) -> Option<Feed> {
        if shared.upstreams.templates.is_empty() {
            return None;
        }
        let (shared, who, recipient) = (shared.clone(), who.clone(), recipient.clone());
        let (calls, waiting) = mpsc::channel(WAITING_CALLS);
        let (end, ended) = oneshot::channel();
        let mut stopping = shared.upstreams.stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                // First, because a stop ends connections without telling anybody. An error means that the service
                // was dropped, which stops it as well.
                biased;
                _ = stopping.wait_for(|stop| *stop) => {}
                () = tell_all(&shared, &who, &recipient, waiting, ended) => {}
            }
        });
        Some(Feed { calls, end })
    }

    pub(crate) fn take(&self, call: Call) -> Result<(), TooMany> {
        self.calls.try_send(call).map_err(|_| TooMany)
    }

    /// The connection is over; `error` is why, if it was a failure.
    pub(crate) fn end(self, error: Option<String>) {
        let _unless_stopped = self.end.send(error);
    }
}

async fn tell_all(
    shared: &Shared,
    who: &Identity,
    recipient: &Recipient,
    mut calls: mpsc::Receiver<Call>,
    ended: oneshot::Receiver<Option<String>>,
) {
    tell(shared, who, &Event::Connected).await;
    while let Some(Call { url, id, method, record }) = calls.recv().await {
        let protocol = recipient.protocol;
        let event = Event::Message { method: &method, record, protocol };
        let reply = shared.upstreams.post(event::request(&url, who, &event, &shared.keys)).await;
        if let Some(id) = id {
            recipient.tell(&answer::to(id, protocol, reply));
        }
    }
    let error = ended.await.unwrap_or_default();
    tell(shared, who, &Event::Disconnected { error: error.as_deref() }).await;
}

async fn tell(shared: &Shared, who: &Identity, event: &Event<'_>) {
    if let Some(url) = shared.upstreams.url(&who.hub, event.category(), event.name()) {
        shared.upstreams.post(event::request(&url, who, event, &shared.keys)).await;
    }
}
