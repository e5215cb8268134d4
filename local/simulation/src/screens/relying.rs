//! A screen that relies on announcements: it asks the store until its subscriptions have settled, and is told from then on
//! that nothing has changed. And how long a subscription settles, where that protection is taken away.

use serde_json::{Value, json};

use crate::scenario::Moment;

/// What is known of the subscriptions of one screen's connection.
#[derive(Default)]
pub(super) struct Subscriptions {
    /// When they have settled; nothing before the first is confirmed.
    settle_at: Option<Moment>,
    /// When the last question was asked whose answer the screen took in.
    loaded: Option<Moment>,
}

impl Subscriptions {
    /// A new connection: what the screen knows may be out of date.
    pub(super) fn begin(&mut self) {
        *self = Subscriptions::default();
    }

    /// A subscription was confirmed, with this answer.
    pub(super) fn confirmed(&mut self, now: Moment, body: &str) {
        let answer: Value = serde_json::from_str(body).unwrap_or_default();
        let seconds = answer["settlesAfterSeconds"].as_u64().unwrap_or_default();
        self.settle_at = self.settle_at.max(Some(now + seconds * 1_000));
    }

    pub(super) fn loaded(&mut self, asked: Moment) {
        self.loaded = self.loaded.max(Some(asked));
    }

    /// Whether the screen has asked after they had settled, so that it should hear of everything since.
    pub(super) fn are_settled(&self) -> bool {
        self.settle_at.is_some_and(|settle_at| self.loaded.is_some_and(|loaded| loaded >= settle_at))
    }
}

/// A part of a snapshot without what is in it.
pub(super) fn emptied(body: &str) -> String {
    let mut snapshot: Value = serde_json::from_str(body).unwrap_or_default();
    if snapshot.is_object() {
        (snapshot["devices"], snapshot["elsewhere"]) = (json!([]), json!([]));
    }
    snapshot.to_string()
}

/// The confirmation of a subscription that claims to hold at once.
pub(super) fn settled_at_once(body: &str) -> String {
    let mut answer: Value = serde_json::from_str(body).unwrap_or_default();
    if answer.get("settlesAfterSeconds").is_some() {
        answer["settlesAfterSeconds"] = 0.into();
    }
    answer.to_string()
}
