//! A publisher that remembers: for tests that look at what was announced, or let announcing fail.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::{Audience, PublishError, Publisher};
use crate::store::Reply;

/// What one call announced, and to which connection (`None`: to everyone).
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    /// The connection, where it was only one.
    pub connection: Option<String>,
    /// The states.
    pub states: Vec<Value>,
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
        states: &'a [Vec<u8>],
        _patience: Duration,
    ) -> Reply<'a, Result<(), PublishError>> {
        Box::pin(async move {
            let mut world = self.world();
            if world.failures > 0 {
                world.failures -= 1;
                return Err(PublishError("told to fail".to_owned()));
            }
            let connection = match audience {
                Audience::Everyone => None,
                Audience::Connection(id) => Some(id.to_owned()),
            };
            let read = |state: &Vec<u8>| serde_json::from_slice(state).unwrap_or(Value::Null);
            let states = states.iter().map(read).collect();
            world.announced.push(Announcement { connection, states });
            Ok(())
        })
    }
}
