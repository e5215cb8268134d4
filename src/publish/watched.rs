//! Who watches: which groups have members, as the service last said. Asked anew after a few seconds, so that a batch costs
//! no more requests than there are groups that somebody follows.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fieldcast_signalr::HubClient;
use futures_util::stream::{self, StreamExt};
use lru::LruCache;
use tokio::time::Instant;

use crate::groups::Group;

/// How long an answer of the service is believed. A client that joins a group which another process holds for empty
/// hears nothing from that process for so long, and has to ask the store once more then.
pub const SETTLES_AFTER: Duration = Duration::from_secs(5);

/// Groups remembered: the areas and buckets of a large fleet, and the devices that somebody follows.
const MOST: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// Questions to the service at once.
const IN_FLIGHT: usize = 16;

/// What the service last said of each group.
pub struct Watched {
    hub: HubClient,
    groups: Mutex<LruCache<Group, Answer>>,
}

#[derive(Clone, Copy)]
struct Answer {
    has_members: bool,
    at: Instant,
}

impl Watched {
    /// Nothing known yet.
    pub fn new(hub: HubClient) -> Watched {
        Watched { hub, groups: Mutex::new(LruCache::new(MOST)) }
    }

    /// Those of the groups that have members, in the given order. A group of which the service says nothing by `deadline`
    /// is taken to have some: to send in vain is better than to leave screens behind.
    pub async fn with_members(&self, groups: Vec<Group>, deadline: Instant) -> Vec<Group> {
        let asked = groups.into_iter().map(|group| async {
            let has_members = match self.known(&group) {
                Some(has_members) => has_members,
                None => self.ask(&group, deadline).await,
            };
            has_members.then_some(group)
        });
        let answers: Vec<Option<Group>> = stream::iter(asked).buffered(IN_FLIGHT).collect().await;
        answers.into_iter().flatten().collect()
    }

    /// A member has just joined.
    pub fn joined(&self, group: Group) {
        self.learn(group, true);
    }

    fn known(&self, group: &Group) -> Option<bool> {
        let fresh = |answer: &&Answer| answer.at.elapsed() < SETTLES_AFTER;
        self.groups().get(group).filter(fresh).map(|answer| answer.has_members)
    }

    async fn ask(&self, group: &Group, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.hub.group_exists(&group.to_string(), left).await {
            Ok(has_members) => {
                self.learn(group.clone(), has_members);
                has_members
            }
            Err(_) => true,
        }
    }

    fn learn(&self, group: Group, has_members: bool) {
        self.groups().put(group, Answer { has_members, at: Instant::now() });
    }

    fn groups(&self) -> MutexGuard<'_, LruCache<Group, Answer>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
