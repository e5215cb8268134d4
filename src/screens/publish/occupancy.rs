//! Who watches: which groups have members, as the service last said. Asked anew after a few seconds, so that a batch costs
//! no more requests than there are groups that somebody follows.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fieldcast_signalr::HubClient;
use futures_util::stream::{self, StreamExt};
use lru::LruCache;
use tokio::time::Instant;

use crate::screens::groups::Group;

/// How long an answer of the service is believed. A client that joins a group which another process holds for empty
/// hears nothing from that process for so long, and has to ask the store once more then.
pub const SETTLES_AFTER: Duration = Duration::from_secs(5);

/// How long a group is sent to after the service would not say whether it has members, before it is asked again.
const UNSURE: Duration = Duration::from_secs(1);

/// Groups remembered: the areas and buckets of a large fleet, and the devices that somebody follows.
const MOST: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// Questions to the service at once.
const IN_FLIGHT: usize = 16;

/// What the service last said of each group.
pub struct GroupOccupancy {
    hub: HubClient,
    groups: Mutex<LruCache<Group, Membership>>,
}

#[derive(Clone, Copy)]
struct Membership {
    has_members: bool,
    /// When the service was asked: what it answers may be true of no later moment.
    asked: Instant,
    lasts: Duration,
}

impl GroupOccupancy {
    /// Nothing known yet.
    pub fn new(hub: HubClient) -> GroupOccupancy {
        GroupOccupancy { hub, groups: Mutex::new(LruCache::new(MOST)) }
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
        self.learn(group, Membership { has_members: true, asked: Instant::now(), lasts: SETTLES_AFTER });
    }

    fn known(&self, group: &Group) -> Option<bool> {
        let fresh = |answer: &&Membership| answer.asked.elapsed() < answer.lasts;
        self.groups().get(group).filter(fresh).map(|answer| answer.has_members)
    }

    async fn ask(&self, group: &Group, deadline: Instant) -> bool {
        let asked = Instant::now();
        let left = deadline.saturating_duration_since(asked);
        let answer = match self.hub.group_exists(&group.to_string(), left).await {
            Ok(has_members) => Membership { has_members, asked, lasts: SETTLES_AFTER },
            Err(_) => Membership { has_members: true, asked, lasts: UNSURE },
        };
        self.learn(group.clone(), answer);
        answer.has_members
    }

    /// A member that joined while the service was being asked is not forgotten over its answer.
    fn learn(&self, group: Group, answer: Membership) {
        let mut groups = self.groups();
        if groups.peek(&group).is_none_or(|known| known.asked <= answer.asked) {
            groups.put(group, answer);
        }
    }

    fn groups(&self) -> MutexGuard<'_, LruCache<Group, Membership>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
