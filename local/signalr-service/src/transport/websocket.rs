//! The WebSocket transport: one socket for both directions.

use super::{Heard, Link, NotWritten};
use crate::wire::Frame;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::SinkExt;

impl Link for WebSocket {
    async fn receive(&mut self) -> Heard {
        match self.recv().await {
            Some(Ok(Message::Text(text))) => Heard::Data(text.into()),
            Some(Ok(Message::Binary(bytes))) => Heard::Data(bytes),
            // The socket answers pings and closes by itself; after a close the next read ends the connection.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => Heard::Sign,
            Some(Err(_)) | None => Heard::Gone,
        }
    }

    async fn write(&mut self, frames: &[Frame]) -> Result<(), NotWritten> {
        for frame in frames {
            let message = match frame {
                Frame::Text(text) => Message::text(text.as_ref()),
                Frame::Binary(bytes) => Message::Binary(bytes.clone()),
            };
            self.feed(message).await.map_err(|_| NotWritten)?;
        }
        self.flush().await.map_err(|_| NotWritten)
    }

    /// Closes with 1000 and waits for the client's answer: dropping the socket with unread data in it would
    /// reset the connection and could take the close frame with it.
    async fn say_goodbye(&mut self) {
        let close = CloseFrame { code: close_code::NORMAL, reason: "".into() };
        if self.send(Message::Close(Some(close))).await.is_ok() {
            while let Some(Ok(_)) = self.recv().await {}
        }
    }

    fn cut(self) {}
}
