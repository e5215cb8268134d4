//! A posted snapshot: sent through SignalR to one connection or to a user; to everybody only where a setting allows it,
//! because anybody could spend the messages of a day with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::damaged::DamagedView;
use super::reading::{Bounds, Reading, unreadable};
use super::wanted::Wanted;
use crate::devices::rows::DeviceRows;
use crate::devices::state::DeviceState;
use crate::host::answer::Answer;
use crate::host::call::Call;
use crate::host::gate::Gate;
use crate::primitives::chain::chain;
use crate::primitives::ids::DeviceId;
use crate::primitives::json::to_json;
use crate::screens::client_ids;
use crate::screens::publish::{Audience, Change, PUSH_PATIENCE, PublishError, Publisher};
use crate::store::StoreError;

/// Whether a posted snapshot that names no receiver goes to everybody, as the predecessor's page expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broadcast {
    /// It is refused.
    Refused,
    /// It is sent, once in a while.
    Allowed,
}

/// The time between two snapshots for everybody.
const BETWEEN_BROADCASTS: Duration = Duration::from_secs(10);

/// Devices that are sent at once, so that the memory for it does not grow with the fleet.
const SENT_AT_ONCE: usize = 1_000;

/// Devices that are written before others get their turn.
const DEVICES_IN_A_TURN: usize = 128;

/// When the last snapshot went to everybody.
#[derive(Default)]
pub(super) struct LastBroadcast(Mutex<Option<Instant>>);

impl LastBroadcast {
    /// Notes that there is one now, unless there was one just before; then how long it takes until there may be one again.
    fn begin(&self) -> Result<(), Duration> {
        let (now, mut last) = (Instant::now(), self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let left = last.map(|last| (last + BETWEEN_BROADCASTS).saturating_duration_since(now));
        match left {
            Some(left) if !left.is_zero() => Err(left),
            _ => {
                *last = Some(now);
                Ok(())
            }
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Receiver {
    connection_id: Option<String>,
    user_id: Option<String>,
}

impl Receiver {
    fn read(body: &[u8]) -> Result<Receiver, Answer> {
        let receiver = match body.trim_ascii() {
            b"" => Receiver::default(),
            body => serde_json::from_slice::<Receiver>(body).map_err(|_| {
                let sentence = r#"the body must be {"connectionId":"…"} or {"userId":"…"}"#;
                Answer::error(StatusCode::BAD_REQUEST, "bad_body", sentence)
            })?,
        };
        for (code, name, id) in [
            ("bad_connection_id", "connectionId", &receiver.connection_id),
            ("bad_user_id", "userId", &receiver.user_id),
        ] {
            if let Err(problem) = id.as_deref().map_or(Ok(()), client_ids::check) {
                return Err(Answer::error(StatusCode::BAD_REQUEST, code, &format!("the {name} {problem}")));
            }
        }
        Ok(receiver)
    }

    fn audience(&self) -> Audience<'_> {
        match (&self.connection_id, &self.user_id) {
            (Some(id), _) => Audience::Connection(id),
            (None, Some(name)) => Audience::User(name),
            (None, None) => Audience::Watchers,
        }
    }
}

/// Why not everything was sent.
enum Failure {
    Unreadable(StoreError),
    NotTaken(PublishError),
}

/// Sends snapshots.
pub(super) struct Sender {
    devices: Arc<DeviceRows>,
    publisher: Arc<dyn Publisher>,
    broadcast: Broadcast,
    last_broadcast: LastBroadcast,
}

impl Sender {
    pub(super) fn new(
        devices: Arc<DeviceRows>,
        publisher: Arc<dyn Publisher>,
        broadcast: Broadcast,
    ) -> Sender {
        Sender { devices, publisher, broadcast, last_broadcast: LastBroadcast::default() }
    }

    pub(super) async fn answer(&self, call: &Call, gate: &Gate) -> Answer {
        let receiver = match Receiver::read(&call.body) {
            Ok(receiver) => receiver,
            Err(answer) => return answer,
        };
        let audience = receiver.audience();
        if audience == Audience::Watchers && self.broadcast == Broadcast::Refused {
            let sentence = r#"say who gets the snapshot: {"connectionId":"…"} or {"userId":"…"}; here it is not sent to everybody"#;
            return Answer::error(StatusCode::BAD_REQUEST, "no_receiver", sentence);
        }
        let _turn = match gate.enter().await {
            Ok(turn) => turn,
            Err(busy) => return busy.answer(),
        };
        if audience == Audience::Watchers
            && let Err(left) = self.last_broadcast.begin()
        {
            let sentence = "everybody was sent a snapshot just now; name a connectionId, or try again later";
            return Answer::busy("broadcast_too_often", sentence, left);
        }
        match self.send_all(audience).await {
            Ok(sent) => Answer::json(StatusCode::OK, format!(r#"{{"sent":{sent}}}"#)),
            Err(Failure::Unreadable(error)) => unreadable(&error),
            Err(Failure::NotTaken(error)) => Answer::not_sent("the snapshot", &chain(&error)),
        }
    }

    /// Sends all devices, a part of them at a time, and says how many they are.
    async fn send_all(&self, audience: Audience<'_>) -> Result<usize, Failure> {
        let devices = Arc::clone(&self.devices);
        let mut reading = Reading::new(devices, Wanted::everything(), Bounds::Everything);
        let (mut sent, mut changes) = (0, Vec::new());
        while let Some(found) = reading.next().await.map_err(Failure::Unreadable)? {
            self.add(&found.taken, &mut changes).await;
            changes.extend(found.damaged.iter().map(|(device, problem)| self.damaged(device, problem)));
            if changes.len() >= SENT_AT_ONCE {
                sent += changes.len();
                self.publish(audience, &std::mem::take(&mut changes)).await?;
            }
        }
        if !changes.is_empty() || sent == 0 {
            self.publish(audience, &changes).await?;
        }
        Ok(sent + changes.len())
    }

    async fn add(&self, states: &[DeviceState], changes: &mut Vec<Change>) {
        let catalogue = self.devices.catalogue();
        for states in states.chunks(DEVICES_IN_A_TURN) {
            changes.extend(states.iter().map(|state| Change::to(state, None, catalogue)));
            yield_now().await;
        }
    }

    fn damaged(&self, device: &DeviceId, problem: &str) -> Change {
        let view = DamagedView { device, problem, catalogue: self.devices.catalogue() };
        Change {
            source: device.clone(),
            device: device.whole(),
            area: None,
            left: None,
            state: to_json(&view).into_bytes(),
        }
    }

    async fn publish(&self, audience: Audience<'_>, changes: &[Change]) -> Result<(), Failure> {
        self.publisher.publish(audience, changes, PUSH_PATIENCE).await.map_err(Failure::NotTaken)
    }
}
