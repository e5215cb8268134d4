//! A SignalR client at the level of WebSocket messages, to see and send the exact bytes.

use crate::deadline::DEADLINE;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub(crate) struct RawClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    records: VecDeque<String>,
    /// The connection id, if the test knows it.
    pub(crate) id: String,
}

/// The end of a connection as the client sees it.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// A close frame with its code.
    Closed(u16),
    /// The socket ended without one.
    Lost,
}

impl RawClient {
    /// Opens the WebSocket with the token in a header; the error is the HTTP status.
    pub(crate) async fn connect(url: &str, token: &str) -> Result<RawClient, u16> {
        let mut request = url.replace("http://", "ws://").into_client_request().unwrap();
        if !token.is_empty() {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(RawClient { socket, records: VecDeque::new(), id: String::new() }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn shake_hands(&mut self) {
        self.say("{\"protocol\":\"json\",\"version\":1}\u{1e}").await;
        assert_eq!(self.hear().await, "{}");
    }

    /// Sends one text frame as it is.
    pub(crate) async fn say(&mut self, text: &str) {
        self.try_say(text).await.unwrap();
    }

    /// As [`RawClient::say`], for a socket that may be gone.
    pub(crate) async fn try_say(&mut self, text: &str) -> Result<(), Error> {
        self.socket.send(Message::text(text)).await
    }

    /// The next hub message without its separator. Every frame holds whole messages.
    pub(crate) async fn hear(&mut self) -> String {
        match self.hear_or_end(DEADLINE).await {
            Ok(record) => record,
            Err(end) => panic!("ended: {end:?}"),
        }
    }

    pub(crate) async fn hear_json(&mut self) -> Value {
        serde_json::from_str(&self.hear().await).unwrap()
    }

    /// The arguments of the next message; pings are passed over.
    pub(crate) async fn message(&mut self) -> Value {
        loop {
            let message = self.hear_json().await;
            if message["type"] == 1 {
                return message["arguments"].clone();
            }
            assert_eq!(message["type"], 6, "{message}");
        }
    }

    pub(crate) async fn hear_or_end(&mut self, deadline: Duration) -> Result<String, End> {
        loop {
            if let Some(record) = self.records.pop_front() {
                return Ok(record);
            }
            let message = timeout(deadline, self.socket.next()).await.expect("something within the deadline");
            match message {
                Some(Ok(Message::Text(text))) => {
                    let whole = text.strip_suffix('\u{1e}').expect("a frame ends with a whole message");
                    self.records.extend(whole.split('\u{1e}').map(str::to_owned));
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map_or(End::Lost, |frame| End::Closed(frame.code.into())));
                }
                Some(Ok(other)) => panic!("not a text frame: {other:?}"),
                Some(Err(_)) | None => return Err(End::Lost),
            }
        }
    }

    /// How the connection ends; messages before that fail the test.
    pub(crate) async fn end(&mut self) -> End {
        match self.hear_or_end(DEADLINE).await {
            Err(end) => end,
            Ok(record) => panic!("still open: {record}"),
        }
    }

    /// Expects exactly these messages next.
    pub(crate) async fn expect(&mut self, expected: &[&str]) {
        for text in expected {
            assert_eq!(self.message().await[0], *text, "expected {expected:?}");
        }
    }
}
