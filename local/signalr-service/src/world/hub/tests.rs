//! A hub's memberships over time, and its invariants under any sequence of operations.

use super::*;
use proptest::prelude::*;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn id(name: &str) -> ConnectionId {
    ConnectionId(name.into())
}

fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

fn user(name: &str) -> UserId {
    UserId(name.into())
}

fn open(hub: &mut Hub, name: &str, as_user: &str, now: Instant) {
    hub.open(id(name), Some(user(as_user)), Recipient::default(), now);
}

fn members(hub: &mut Hub, name: &str, now: Instant) -> Vec<String> {
    let mut members: Vec<String> = hub.members(&group(name), now).map(|id| id.0.to_string()).collect();
    members.sort();
    members
}

#[test]
fn a_ttl_counts_for_present_and_later_connections() {
    let (mut hub, now) = (Hub::default(), Instant::now());
    open(&mut hub, "a1", "alice", now);
    hub.join_user(user("alice"), group("g"), JoinDuration::For(10 * SECOND), now);
    open(&mut hub, "a2", "alice", now + 5 * SECOND);
    assert_eq!(members(&mut hub, "g", now + 9 * SECOND), ["a1", "a2"]);
    assert!(members(&mut hub, "g", now + 10 * SECOND).is_empty());
    open(&mut hub, "a3", "alice", now + 10 * SECOND);
    assert!(members(&mut hub, "g", now + 10 * SECOND).is_empty());
    assert!(!hub.exists(&Subject::UserInGroup(user("alice"), group("g")), now + 10 * SECOND));
}

#[test]
fn a_second_put_extends_or_shortens_the_stay() {
    let (mut hub, now) = (Hub::default(), Instant::now());
    open(&mut hub, "a", "alice", now);
    hub.join_user(user("alice"), group("g"), JoinDuration::For(5 * SECOND), now);
    hub.join_user(user("alice"), group("g"), JoinDuration::For(9 * SECOND), now);
    assert_eq!(members(&mut hub, "g", now + 8 * SECOND), ["a"]);
    hub.join_user(user("alice"), group("g"), JoinDuration::For(SECOND), now);
    assert!(members(&mut hub, "g", now + 2 * SECOND).is_empty());
}

#[test]
fn a_connection_that_joined_itself_stays_when_its_users_time_is_up() {
    let (mut hub, now) = (Hub::default(), Instant::now());
    open(&mut hub, "a", "alice", now);
    hub.join_user(user("alice"), group("g"), JoinDuration::For(SECOND), now);
    assert!(hub.join_connection(id("a"), group("g")));
    hub.join_user(user("alice"), group("g"), JoinDuration::For(SECOND), now);
    assert_eq!(members(&mut hub, "g", now + 2 * SECOND), ["a"]);
}

#[derive(Debug, Clone)]
enum Step {
    Open(u8, u8),
    Remove(u8),
    JoinConnection(u8, u8),
    JoinUser(u8, u8, u64),
    LeaveConnection(u8, u8),
    LeaveUser(u8, u8),
    LeaveAllConnection(u8),
    LeaveAllUser(u8),
    Pass(u64),
    Send(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let few = 0..4u8;
    prop_oneof![
        (few.clone(), few.clone()).prop_map(|(c, u)| Step::Open(c, u)),
        few.clone().prop_map(Step::Remove),
        (few.clone(), few.clone()).prop_map(|(c, g)| Step::JoinConnection(c, g)),
        (few.clone(), few.clone(), 0..4u64).prop_map(|(u, g, ttl)| Step::JoinUser(u, g, ttl)),
        (few.clone(), few.clone()).prop_map(|(c, g)| Step::LeaveConnection(c, g)),
        (few.clone(), few.clone()).prop_map(|(u, g)| Step::LeaveUser(u, g)),
        few.clone().prop_map(Step::LeaveAllConnection),
        few.clone().prop_map(Step::LeaveAllUser),
        (1..3u64).prop_map(Step::Pass),
        few.prop_map(Step::Send),
    ]
}

fn apply(hub: &mut Hub, step: &Step, now: &mut Instant) {
    let (c, u, g) =
        (|n: u8| id(&format!("c{n}")), |n: u8| user(&format!("u{n}")), |n: u8| group(&format!("g{n}")));
    match *step {
        Step::Open(n, of) if !hub.connections.contains_key(&c(n)) => {
            hub.open(c(n), Some(u(of)), Recipient::default(), *now);
        }
        Step::Open(..) => {}
        Step::Remove(n) => drop(hub.remove(&c(n))),
        Step::JoinConnection(n, to) => drop(hub.join_connection(c(n), g(to))),
        Step::JoinUser(n, to, 0) => hub.join_user(u(n), g(to), JoinDuration::PresentConnections, *now),
        Step::JoinUser(n, to, ttl) => {
            hub.join_user(u(n), g(to), JoinDuration::For(ttl as u32 * SECOND), *now)
        }
        Step::LeaveConnection(n, from) => drop(hub.leave_connection(&c(n), &g(from))),
        Step::LeaveUser(n, from) => hub.leave_user(&u(n), &g(from)),
        Step::LeaveAllConnection(n) => hub.leave_all_connection(&c(n)),
        Step::LeaveAllUser(n) => hub.leave_all_user(&u(n)),
        Step::Pass(seconds) => *now += seconds as u32 * SECOND,
        Step::Send(to) => drop(hub.recipients(&Target::Group(g(to)), *now)),
    }
}

fn assert_consistent(hub: &Hub) {
    for (group, members) in &hub.groups {
        assert!(!members.is_empty(), "{group:?} is empty");
        for id in members.keys() {
            let connection = hub.connections.get(id).expect("members are connected");
            assert!(connection.groups.contains(group), "{id:?} does not know {group:?}");
        }
    }
    for (user, ids) in &hub.users {
        assert!(!ids.is_empty(), "{user:?} has no connection");
        assert!(ids.iter().all(|id| hub.connections[id].user.as_ref() == Some(user)));
    }
}

proptest! {
    #[test]
    fn indexes_agree_after_any_steps(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut hub, mut now) = (Hub::default(), Instant::now());
        for step in &steps {
            apply(&mut hub, step, &mut now);
            assert_consistent(&hub);
        }
        for connection in hub.connections.keys().cloned().collect::<Vec<_>>() {
            hub.remove(&connection);
        }
        prop_assert!(hub.users.is_empty() && hub.groups.is_empty());
    }
}
