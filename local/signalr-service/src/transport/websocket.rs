//! The WebSocket transport: one socket for both directions.

use super::{Link, NotWritten, Received};
use crate::wire::Frame;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::SinkExt;

impl Link for WebSocket {
    async fn receive(&mut self) -> Received {
        match self.recv().await {
            Some(Ok(Message::Text(text))) => Received::Data(text.into()),
            Some(Ok(Message::Binary(bytes))) => Received::Data(bytes),
            // The socket answers pings and close frames by itself. After a close frame, the next read ends the
            // connection.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => Received::SignOfLife,
            Some(Err(_)) | None => Received::Gone,
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

    /// Closes with 1000 and waits for the client's answer: dropping a socket with unread data would reset the
    /// connection, and the close frame could be lost.
    async fn close(&mut self) {
        let close = CloseFrame { code: close_code::NORMAL, reason: "".into() };
        if self.send(Message::Close(Some(close))).await.is_ok() {
            while let Some(Ok(_)) = self.recv().await {}
        }
    }

    fn cut(self) {}
}
