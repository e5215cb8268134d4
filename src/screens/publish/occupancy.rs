//! Who watches: which groups have members, as the service last said. Asked anew after a few seconds, so that a batch costs
//! no more requests than there are groups that somebody follows.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fieldcast_signalr::{HubClient, SendError};
use futures_util::stream::{self, StreamExt};
use lru::LruCache;
use tokio::time::Instant;

use crate::screens::groups::Group;

/// How long an answer of the service is believed. A client that joins a group which another process holds for empty
/// hears nothing from that process for so long, and has to ask the store once more then.
pub const SETTLES_AFTER: Duration = Duration::from_secs(5);

/// How long no group is asked about after the service did not answer a question; twice as long each time.
const REST: Duration = Duration::from_secs(1);

/// The client of the service keeps to longer rests by itself; this one only saves it the questions.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// A question with less time than this that is not answered says nothing about the service.
const TIME_ENOUGH: Duration = Duration::from_millis(200);

/// Groups remembered: the areas and buckets of a large fleet, and the devices that somebody follows.
const MOST: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// Questions to the service at once.
const IN_FLIGHT: usize = 16;

/// The most questions about one list of groups: twice as many as there are buckets. At 5 ms each they take a third of a
/// second.
const MOST_QUESTIONS: usize = 1_024;

/// What the service last said of each group.
pub struct GroupOccupancy {
    hub: HubClient,
    known: Mutex<Known>,
}

struct Known {
    groups: LruCache<Group, Membership>,
    /// Nothing is asked before.
    rests_until: Option<Instant>,
    /// Rests since the last answer.
    rests: u32,
}

/// Groups by what is known of them, in the order of the question. The others are empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Occupied {
    /// They have members.
    pub certain: Vec<Group>,
    /// The service did not say, so they may have members.
    pub uncertain: Vec<Group>,
}

#[derive(Clone, Copy)]
struct Membership {
    has_members: bool,
    /// When the service was asked: what it answers may be true of no later moment.
    asked: Instant,
}

impl GroupOccupancy {
    /// Nothing known yet.
    pub fn new(hub: HubClient) -> GroupOccupancy {
        let known = Known { groups: LruCache::new(MOST), rests_until: None, rests: 0 };
        GroupOccupancy { hub, known: Mutex::new(known) }
    }

    /// Those of the groups that have members, and those of which the service says nothing by `deadline`. After a question
    /// without an answer no others begin, here and for a while.
    pub async fn with_members(&self, groups: Vec<Group>, deadline: Instant) -> Occupied {
        let questions = AtomicUsize::new(0);
        let asked = groups.into_iter().map(|group| async {
            let has_members = match self.known(&group) {
                None if questions.fetch_add(1, Ordering::Relaxed) < MOST_QUESTIONS => {
                    self.ask(&group, deadline).await
                }
                known => known,
            };
            (group, has_members)
        });
        let mut answers = stream::iter(asked).buffered(IN_FLIGHT);
        let mut occupied = Occupied::default();
        while let Some((group, has_members)) = answers.next().await {
            match has_members {
                Some(true) => occupied.certain.push(group),
                Some(false) => {}
                None => occupied.uncertain.push(group),
            }
        }
        occupied
    }

    /// A member has just joined.
    pub fn joined(&self, group: Group) {
        self.learn(group, Membership { has_members: true, asked: Instant::now() });
    }

    fn known(&self, group: &Group) -> Option<bool> {
        let fresh = |answer: &&Membership| answer.asked.elapsed() < SETTLES_AFTER;
        self.memory().groups.get(group).filter(fresh).map(|answer| answer.has_members)
    }

    async fn ask(&self, group: &Group, deadline: Instant) -> Option<bool> {
        let asked = Instant::now();
        let left = deadline.saturating_duration_since(asked);
        if left.is_zero() || self.memory().rests_until.is_some_and(|until| asked < until) {
            return None;
        }
        match self.hub.group_exists(&group.to_string(), left).await {
            Ok(has_members) => {
                self.learn(group.clone(), Membership { has_members, asked });
                self.memory().rests = 0;
                Some(has_members)
            }
            Err(error) => {
                let had_time =
                    left >= TIME_ENOUGH || !matches!(error, SendError::Unknown { status: None, .. });
                if had_time && is_about_service(&error) {
                    self.rest(&error);
                }
                None
            }
        }
    }

    /// Asks nothing for a while, and longer each time until there is an answer.
    fn rest(&self, error: &SendError) {
        let asked_for = match error {
            SendError::Unavailable { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let now = Instant::now();
        let mut memory = self.memory();
        if memory.rests_until.is_some_and(|until| now < until) {
            return;
        }
        let growing = REST * 2_u32.saturating_pow(memory.rests.min(10));
        memory.rests_until = Some(now + asked_for.max(growing).min(LONGEST_REST));
        memory.rests += 1;
    }

    /// A member that joined while the service was being asked is not forgotten over its answer.
    fn learn(&self, group: Group, answer: Membership) {
        let groups = &mut self.memory().groups;
        if groups.peek(&group).is_none_or(|known| known.asked <= answer.asked) {
            groups.put(group, answer);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether other calls would fail like this one. Where one endpoint of several answers, they go on.
pub(super) fn is_about_service(error: &SendError) -> bool {
    match error {
        SendError::TooLarge { .. }
        | SendError::InvalidName(_)
        | SendError::Token(_)
        | SendError::Refused { .. }
        | SendError::NotFound { .. } => false,
        SendError::Endpoints(failures) => {
            failures.succeeded == 0 && failures.failed.iter().all(|failure| is_about_service(&failure.error))
        }
        _ => true,
    }
}
