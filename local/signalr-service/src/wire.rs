//! The bytes on the wire: parses what REST callers and SignalR clients send, and renders what they get. Nothing here
//! keeps state.

pub(crate) mod frames_body;
pub(crate) mod hub_protocol;
pub(crate) mod listing;
pub(crate) mod negotiation;
pub(crate) mod options;
pub(crate) mod query;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod route;
pub(crate) mod send_body;

use bytes::Bytes;
use std::sync::Arc;

/// One complete hub message as its protocol frames it. Clones share the bytes, so that a broadcast is rendered once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(Arc<str>),
    Binary(Bytes),
}

impl Frame {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Frame::Text(text) => text.as_bytes(),
            Frame::Binary(bytes) => bytes,
        }
    }
}
