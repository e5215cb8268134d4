//! The publisher over the REST API of Azure SignalR Service, or the local stand-in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fieldcast_signalr::{HubClient, Target};
use futures_util::future::join;
use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use super::occupancy::Occupied;
use super::sending::{MOST_MESSAGES, Sending};
use super::{Audience, Change, GroupOccupancy, PublishError, Publisher};
use crate::screens::groups::Group;
use futures_util::future::BoxFuture;

/// Sends at once.
const IN_FLIGHT: usize = 16;

/// The part of the patience that may go into asking who watches: a service that does not answer that must not keep
/// anything from being sent.
const ASKING: u32 = 4;

/// Whom changes go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishMode {
    /// Every connection of the hub.
    Broadcast,
    /// The groups that follow the device, and only those that have members.
    Groups,
}

/// Sends to one hub.
pub struct SignalRPublisher {
    hub: HubClient,
    mode: PublishMode,
    occupancy: Arc<GroupOccupancy>,
    /// Where the next batch begins among its groups: where there are more than a batch has messages, they take turns.
    turn: AtomicUsize,
}

/// States by the group that they concern.
type ByGroup<'a> = BTreeMap<Group, Vec<&'a [u8]>>;

/// An announcement to groups: what may be sent, and until when the service may be asked.
struct ToGroups<'a> {
    sending: &'a Sending<'a>,
    ask: Instant,
}

impl SignalRPublisher {
    /// Names the hub; nothing is sent yet.
    pub fn new(hub: HubClient, mode: PublishMode, occupancy: Arc<GroupOccupancy>) -> SignalRPublisher {
        SignalRPublisher { hub, mode, occupancy, turn: AtomicUsize::new(0) }
    }

    async fn announce(
        &self,
        audience: Audience<'_>,
        changes: &[Change],
        patience: Duration,
    ) -> Result<(), PublishError> {
        let now = Instant::now();
        let most = if audience == Audience::Watchers { MOST_MESSAGES } else { usize::MAX };
        let sending = Sending::new(&self.hub, now + patience, most);
        let target = match (audience, self.mode) {
            (Audience::Watchers, PublishMode::Groups) => {
                let to = ToGroups { sending: &sending, ask: now + patience / ASKING };
                join(self.announce_in_areas(changes, &to), self.announce_devices(changes, &to)).await;
                return sending.finish();
            }
            (Audience::Watchers, PublishMode::Broadcast) => Target::All,
            (Audience::User(name), _) => Target::User(name),
            (Audience::Connection(id), _) => Target::Connection(id),
        };
        let states: Vec<&[u8]> = changes.iter().map(|change| change.state.as_slice()).collect();
        sending.send(target, &states).await;
        sending.finish()
    }

    /// To those who follow everything or an area. The group of everything is one, so it is sent to whenever it may have
    /// members.
    async fn announce_in_areas(&self, changes: &[Change], to: &ToGroups<'_>) {
        let mut states = by_area(changes);
        let Occupied { mut certain, uncertain } = self.occupied(&states, to).await;
        let (all, areas): (Vec<_>, Vec<_>) = uncertain.into_iter().partition(|group| *group == Group::All);
        certain.extend(all);
        certain.extend(to.sending.few(areas));
        let certain: BTreeSet<Group> = certain.into_iter().collect();
        states.retain(|group, _| certain.contains(group));
        self.send(states, to).await;
    }

    /// To those who follow single devices: they are looked for only where somebody is in the bucket. Where it is not known
    /// who follows which device, its bucket is sent to, in which they all are.
    async fn announce_devices(&self, changes: &[Change], to: &ToGroups<'_>) {
        let buckets = grouped(changes, |change| Group::bucket(&change.device));
        let Occupied { certain, uncertain } = self.occupied(&buckets, to).await;
        let certain: BTreeSet<Group> = certain.into_iter().collect();
        let perhaps = changes.iter().filter(|change| certain.contains(&Group::bucket(&change.device)));
        let devices = grouped(perhaps.clone(), |change| Group::Device(change.device.clone()));
        let found = self.occupied(&devices, to).await;
        let unsure: BTreeSet<Group> = found.uncertain.into_iter().collect();
        let unsure = perhaps.filter(|change| unsure.contains(&Group::Device(change.device.clone())));
        let unsure = grouped(unsure, |change| Group::bucket(&change.device));

        let mut states = devices;
        let followed: BTreeSet<Group> = found.certain.into_iter().collect();
        states.retain(|group, _| followed.contains(group));
        let whole = uncertain.into_iter().filter_map(|bucket| buckets.get_key_value(&bucket));
        let coarse = whole.map(|(bucket, states)| (bucket.clone(), states.clone())).chain(unsure);
        states.extend(to.sending.few(coarse.collect()));
        self.send(states, to).await;
    }

    async fn occupied(&self, states: &ByGroup<'_>, to: &ToGroups<'_>) -> Occupied {
        self.occupancy.with_members(states.keys().cloned().collect(), to.ask).await
    }

    /// Sends each group what concerns it.
    async fn send(&self, states: ByGroup<'_>, to: &ToGroups<'_>) {
        let mut states: Vec<_> = states.into_iter().collect();
        let others = usize::from(states.first().is_some_and(|(group, _)| *group == Group::All));
        let others = &mut states[others..];
        if !others.is_empty() {
            let turn = self.turn.fetch_add(MOST_MESSAGES.min(others.len()), Ordering::Relaxed);
            others.rotate_left(turn % others.len());
        }
        let mut sends = Vec::with_capacity(states.len());
        for (group, states) in &states {
            sends.push(async move { to.sending.send(Target::Group(&group.to_string()), states).await });
        }
        stream::iter(sends).buffer_unordered(IN_FLIGHT).collect::<()>().await;
    }
}

/// States for those who follow everything, and for those who follow an area: also the one that a device has left. Areas
/// that nobody can follow have no group.
fn by_area(changes: &[Change]) -> ByGroup<'_> {
    let mut groups = ByGroup::new();
    for change in changes {
        let areas = [&change.area, &change.left].into_iter().flatten();
        let areas = areas.filter_map(|area| Group::area(area).ok());
        for group in std::iter::once(Group::All).chain(areas) {
            groups.entry(group).or_default().push(&change.state);
        }
    }
    groups
}

fn grouped<'a>(
    changes: impl IntoIterator<Item = &'a Change>,
    group: impl Fn(&Change) -> Group,
) -> ByGroup<'a> {
    let mut groups = ByGroup::new();
    for change in changes {
        groups.entry(group(change)).or_default().push(&change.state);
    }
    groups
}

impl Publisher for SignalRPublisher {
    fn publish<'a>(
        &'a self,
        audience: Audience<'a>,
        changes: &'a [Change],
        patience: Duration,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        Box::pin(self.announce(audience, changes, patience))
    }
}
