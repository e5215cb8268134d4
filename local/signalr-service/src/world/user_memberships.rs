//! The groups of users, remembered while they are not connected. The rules are those of the service's REST reference:
//! a `ttl` in seconds, or a year and only the newest hundred groups of the user.

use crate::names::{GroupName, UserId};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const NEWEST_WITHOUT_TTL: usize = 100;

#[derive(Default)]
pub(crate) struct UserMemberships {
    users: HashMap<UserId, Vec<Membership>>,
}

/// In a user's list the oldest comes first; adding a group again moves it to the end.
struct Membership {
    group: GroupName,
    until: Instant,
    kept: Kept,
}

#[derive(PartialEq, Eq)]
enum Kept {
    ByDefault,
    ForTtl,
}

impl UserMemberships {
    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The user's groups, and when each membership ends.
    pub(crate) fn of(&mut self, user: &UserId, now: Instant) -> Vec<(GroupName, Instant)> {
        self.drop_past(user, now);
        let memberships = self.users.get(user).into_iter().flatten();
        memberships.map(|membership| (membership.group.clone(), membership.until)).collect()
    }

    pub(crate) fn holds(&self, user: &UserId, group: &GroupName, now: Instant) -> bool {
        let mut memberships = self.users.get(user).into_iter().flatten();
        memberships.any(|membership| membership.group == *group && now < membership.until)
    }

    pub(crate) fn keep_by_default(&mut self, user: &UserId, group: &GroupName, now: Instant) -> Instant {
        let until = self.put(user, group, now, YEAR, Kept::ByDefault);
        self.drop_oldest_default(user);
        until
    }

    pub(crate) fn keep_for(
        &mut self,
        user: &UserId,
        group: &GroupName,
        now: Instant,
        time: Duration,
    ) -> Instant {
        self.put(user, group, now, time.min(YEAR), Kept::ForTtl)
    }

    pub(crate) fn forget(&mut self, user: &UserId, group: &GroupName) {
        if let Some(memberships) = self.users.get_mut(user) {
            memberships.retain(|membership| membership.group != *group);
            if memberships.is_empty() {
                self.users.remove(user);
            }
        }
    }

    pub(crate) fn forget_all(&mut self, user: &UserId) {
        self.users.remove(user);
    }

    fn put(&mut self, user: &UserId, group: &GroupName, now: Instant, time: Duration, kept: Kept) -> Instant {
        self.forget(user, group);
        self.drop_past(user, now);
        let until = now + time;
        let membership = Membership { group: group.clone(), until, kept };
        self.users.entry(user.clone()).or_default().push(membership);
        until
    }

    fn drop_past(&mut self, user: &UserId, now: Instant) {
        if let Some(memberships) = self.users.get_mut(user) {
            memberships.retain(|membership| now < membership.until);
            if memberships.is_empty() {
                self.users.remove(user);
            }
        }
    }

    fn drop_oldest_default(&mut self, user: &UserId) {
        let Some(memberships) = self.users.get_mut(user) else {
            return;
        };
        let by_default = |membership: &Membership| membership.kept == Kept::ByDefault;
        let surplus = memberships.iter().filter(|m| by_default(m)).count().saturating_sub(NEWEST_WITHOUT_TTL);
        let mut dropped = 0;
        memberships.retain(|membership| {
            let drop = dropped < surplus && by_default(membership);
            dropped += usize::from(drop);
            !drop
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(number: usize) -> GroupName {
        GroupName::parse(&format!("group-{number}")).unwrap()
    }

    fn alice() -> UserId {
        UserId("alice".into())
    }

    #[test]
    fn a_ttl_ends_and_is_refreshed_by_putting_it_again() {
        let (mut user_memberships, now) = (UserMemberships::default(), Instant::now());
        let second = Duration::from_secs(1);
        user_memberships.keep_for(&alice(), &group(1), now, 10 * second);
        user_memberships.keep_for(&alice(), &group(1), now + 5 * second, 10 * second);
        assert!(user_memberships.holds(&alice(), &group(1), now + 14 * second));
        assert!(!user_memberships.holds(&alice(), &group(1), now + 15 * second));
        user_memberships.keep_for(&alice(), &group(1), now + 6 * second, second);
        assert!(!user_memberships.holds(&alice(), &group(1), now + 7 * second), "the newest call decides");
        assert!(user_memberships.of(&alice(), now + 7 * second).is_empty());
        assert!(user_memberships.is_empty());
    }

    #[test]
    fn without_ttl_only_the_newest_hundred_are_kept() {
        let (mut user_memberships, now) = (UserMemberships::default(), Instant::now());
        user_memberships.keep_for(&alice(), &group(1_000), now, YEAR);
        for number in 0..100 {
            user_memberships.keep_by_default(&alice(), &group(number), now);
        }
        user_memberships.keep_by_default(&alice(), &group(0), now);
        user_memberships.keep_by_default(&alice(), &group(100), now);
        assert!(user_memberships.holds(&alice(), &group(0), now), "it was put again");
        assert!(!user_memberships.holds(&alice(), &group(1), now), "the oldest one");
        assert!(user_memberships.holds(&alice(), &group(1_000), now), "has a ttl");
        assert_eq!(user_memberships.of(&alice(), now).len(), 101);
    }

    #[test]
    fn a_ttl_beyond_a_year_is_a_year() {
        let (mut user_memberships, now) = (UserMemberships::default(), Instant::now());
        assert_eq!(user_memberships.keep_for(&alice(), &group(1), now, Duration::MAX), now + YEAR);
    }
}
