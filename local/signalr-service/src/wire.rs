//! The bytes: what REST callers and SignalR clients write and read. Pure rendering and parsing, no state.

pub(crate) mod hub_protocol;
pub(crate) mod negotiation;
pub(crate) mod options;
pub(crate) mod query;
pub(crate) mod reply;
pub(crate) mod route;
pub(crate) mod send_body;

use std::sync::Arc;

/// One complete hub message in the JSON protocol, with its record separator. Clones share the text, so a
/// broadcast is rendered once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame(Arc<str>);

impl Frame {
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl From<String> for Frame {
    fn from(text: String) -> Frame {
        Frame(text.into())
    }
}
