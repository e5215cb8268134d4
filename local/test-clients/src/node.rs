//! The npm SignalR client in a Node process; the protocol is described in `tests/clients/signalr-client.mjs`.

use crate::script::{ClientError, OnDrop, Script};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// How the client is built.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientOptions {
    /// Milliseconds before each automatic reconnection; with `None` the client does not reconnect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnect_delays: Option<Vec<u64>>,
    /// Client methods that are reported; `None` means `newMessage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// The answers to calls of client methods: `{"<method>": {"result": …}}` or `{"<method>": {"error": "…"}}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Value>,
    /// `WebSockets`, `ServerSentEvents` or `LongPolling`; with `None` the client chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// `json` or `messagepack`; `None` means JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// What the client reports, in the order it happened.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ClientEvent {
    /// `start()` succeeded.
    Connected {
        /// The connection id from the service.
        connection_id: String,
    },
    /// `start()` failed. No event follows.
    Failed {
        /// The client's text.
        error: String,
    },
    /// The service called a client method.
    Message {
        /// The method.
        target: String,
        /// Its arguments, as JavaScript sees them.
        arguments: Vec<Value>,
    },
    /// The connection was lost and the client reconnects.
    Reconnecting {
        /// The client's text, if it had a reason.
        error: Option<String>,
    },
    /// It is connected again.
    Reconnected {
        /// The new id.
        connection_id: String,
    },
    /// A call by [`NodeClient::invoke`] has ended.
    Result {
        /// The number of the call.
        id: u64,
        /// What it returned, if anything.
        result: Option<Value>,
        /// Why it failed.
        error: Option<String>,
    },
    /// The connection is closed for good. No event follows.
    Closed {
        /// The client's text, if it had a reason.
        error: Option<String>,
    },
}

/// A client process. It starts to connect at once and is killed when dropped.
pub struct NodeClient {
    script: Script,
}

impl NodeClient {
    /// Starts a client that does not reconnect and reports `newMessage`. Needs a tokio runtime.
    ///
    /// # Errors
    /// Node or the npm packages are missing, or the process did not start.
    pub fn spawn(negotiate_url: &str) -> Result<NodeClient, ClientError> {
        NodeClient::spawn_with(negotiate_url, &ClientOptions::default())
    }

    /// Starts a client with `options`.
    ///
    /// # Errors
    /// As [`NodeClient::spawn`].
    pub fn spawn_with(negotiate_url: &str, options: &ClientOptions) -> Result<NodeClient, ClientError> {
        let options = serde_json::to_string(options).expect("options are plain data");
        let script = Script::spawn("signalr-client.mjs", &[negotiate_url, &options], OnDrop::Kill)?;
        Ok(NodeClient { script })
    }

    /// The next event.
    ///
    /// # Errors
    /// Nothing came before the deadline, or the process has ended.
    pub async fn next(&mut self, deadline: Duration) -> Result<ClientEvent, ClientError> {
        self.script.next(deadline).await
    }

    /// Calls a hub method. Its end is reported as [`ClientEvent::Result`] with the same `id`.
    ///
    /// # Errors
    /// The process has ended.
    pub async fn invoke(&mut self, id: u64, method: &str, arguments: &[Value]) -> Result<(), ClientError> {
        let command = json!({ "do": "invoke", "id": id, "method": method, "arguments": arguments });
        self.script.command(&command).await
    }

    /// Stops the connection as an application would; [`ClientEvent::Closed`] follows.
    ///
    /// # Errors
    /// The process has ended.
    pub async fn close(&mut self) -> Result<(), ClientError> {
        self.script.command(&json!({ "do": "stop" })).await
    }

    /// Ends the process without closing the connection, and waits for its end.
    ///
    /// # Errors
    /// The process did not end and was killed.
    pub async fn stop(self) -> Result<(), ClientError> {
        self.script.stop().await
    }
}
