//! A publisher that remembers: for tests that look at what was announced, or let announcing fail.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::{Audience, Change, PublishError, Publisher};
use futures_util::future::BoxFuture;

/// What one call announced, and to whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    /// The connection, where it was only one.
    pub connection: Option<String>,
    /// The user, where it was only one.
    pub user: Option<String>,
    /// The states.
    pub states: Vec<Value>,
    /// The areas that were left.
    pub left: Vec<String>,
}

/// Remembers announcements in order.
#[derive(Default)]
pub struct RecordedPublisher {
    world: Mutex<World>,
}

#[derive(Default)]
struct World {
    announced: Vec<Announcement>,
    failures: usize,
}

impl RecordedPublisher {
    /// Nothing announced yet.
    pub fn new() -> RecordedPublisher {
        RecordedPublisher::default()
    }

    /// Lets the next `count` calls fail.
    pub fn fail_next(&self, count: usize) {
        self.world().failures = count;
    }

    /// Everything announced so far.
    pub fn announced(&self) -> Vec<Announcement> {
        self.world().announced.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Publisher for RecordedPublisher {
    fn publish<'a>(
        &'a self,
        audience: Audience<'a>,
        changes: &'a [Change],
        _patience: Duration,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        Box::pin(async move {
            let mut world = self.world();
            if world.failures > 0 {
                world.failures -= 1;
                return Err(PublishError("told to fail".to_owned()));
            }
            let (mut connection, mut user) = (None, None);
            match audience {
                Audience::Watchers => {}
                Audience::User(name) => user = Some(name.to_owned()),
                Audience::Connection(id) => connection = Some(id.to_owned()),
            }
            let read = |change: &Change| serde_json::from_slice(&change.state).unwrap_or(Value::Null);
            let states = changes.iter().map(read).collect();
            let left = changes.iter().filter_map(|change| change.left.clone()).collect();
            world.announced.push(Announcement { connection, user, states, left });
            Ok(())
        })
    }
}
