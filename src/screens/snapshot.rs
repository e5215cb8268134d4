//! `getdevicestate`: every device's state. `GET` answers with it, in pieces while it is read; `POST` sends it through
//! SignalR, as the predecessor's page expects, to one connection, to a user or to
//! everybody who watches.
//!
//! A client that has read a snapshot to its end asks from then on with its `cursor` for what has changed `since`, and never
//! misses a change: the cursor is a moment before the first row was read.

mod damaged;
mod part;
mod reading;
mod send;
mod text;
mod wanted;

use std::sync::Arc;

use axum::http::{Method, StatusCode};

use self::part::{Filled, PIECE, Part};
use self::reading::{Bounds, Reading, unreadable};
pub use self::send::Broadcast;
use self::send::Sender;
use self::wanted::Wanted;
use crate::devices::rows::DeviceRows;
use crate::host::answer::Answer;
use crate::host::call::Call;
use crate::host::gate::Gate;
use crate::host::host_json::Calls;
use crate::screens::publish::Publisher;

/// About the most bytes of an answer to a wrapped call, which is one text in memory: the rest is for another one.
const LARGEST_WRAPPED: usize = 1024 * 1024;

/// Where states are read, and where they can be sent.
pub(crate) struct Snapshots {
    devices: Arc<DeviceRows>,
    sender: Sender,
    gate: Gate,
}

impl Snapshots {
    pub(crate) fn new(
        devices: Arc<DeviceRows>,
        publisher: Arc<dyn Publisher>,
        broadcast: Broadcast,
    ) -> Snapshots {
        let sender = Sender::new(Arc::clone(&devices), publisher, broadcast);
        Snapshots { devices, sender, gate: Gate::new("too_many_snapshots") }
    }

    pub(crate) async fn answer(&self, call: &Call) -> Answer {
        match call.method {
            Method::POST => self.sender.answer(call, &self.gate).await,
            _ => read(self, call).await,
        }
    }
}

async fn read(snapshots: &Snapshots, call: &Call) -> Answer {
    let wanted = match Wanted::parse(&call.query) {
        Ok(wanted) => wanted,
        Err(error) => return Answer::error(StatusCode::BAD_REQUEST, error.code(), &error.to_string()),
    };
    let turn = match snapshots.gate.enter().await {
        Ok(turn) => turn,
        Err(busy) => return busy.answer(),
    };
    let reading = Reading::new(Arc::clone(&snapshots.devices), wanted, Bounds::OneAnswer);
    let mut part = Part::new(&snapshots.devices, reading);
    let filled = match call.form {
        Calls::Forwarded => part.fill(PIECE).await,
        Calls::Wrapped => part.fill_and_finish(LARGEST_WRAPPED).await,
    };
    match filled {
        Ok(Filled::ToItsEnd) => whole(part, call.if_none_match.as_deref()),
        Ok(Filled::Piece) => Answer::json_in_pieces(part.into_body(turn)),
        Err(error) => unreadable(&error),
    }
}

/// An answer that is in memory. It has an ETag if it is the only part and was not too large to be compared.
fn whole(part: Part, known: Option<&str>) -> Answer {
    let (text, version) = part.end();
    let answer = Answer::json(StatusCode::OK, String::from_utf8_lossy(&text).into_owned());
    match version {
        Some(version) => answer.revalidated(version, known),
        None => answer,
    }
}

#[cfg(test)]
mod tests;
