//! The publisher over the REST API of Azure SignalR Service, or the local stand-in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fieldcast_signalr::{BODY_LIMIT, HubClient, Message, Resend, Target};
use futures_util::future::join;
use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use super::{Audience, Change, GroupOccupancy, PublishError, Publisher, TARGET};
use crate::primitives::chain::chain;
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
}

/// States by the group that they concern.
type ByGroup<'a> = BTreeMap<Group, Vec<&'a [u8]>>;

/// Until when the service may be asked, and until when it may be sent to.
#[derive(Clone, Copy)]
struct Deadlines {
    ask: Instant,
    send: Instant,
}

impl SignalRPublisher {
    /// Names the hub; nothing is sent yet.
    pub fn new(hub: HubClient, mode: PublishMode, occupancy: Arc<GroupOccupancy>) -> SignalRPublisher {
        SignalRPublisher { hub, mode, occupancy }
    }

    async fn announce(
        &self,
        audience: Audience<'_>,
        changes: &[Change],
        patience: Duration,
    ) -> Result<(), PublishError> {
        let now = Instant::now();
        let deadlines = Deadlines { ask: now + patience / ASKING, send: now + patience };
        let target = match (audience, self.mode) {
            (Audience::Watchers, PublishMode::Groups) => {
                let areas = self.announce_in_areas(changes, deadlines);
                let (areas, devices) = join(areas, self.announce_devices(changes, deadlines)).await;
                return areas.and(devices);
            }
            (Audience::Watchers, PublishMode::Broadcast) => Target::All,
            (Audience::User(name), _) => Target::User(name),
            (Audience::Connection(id), _) => Target::Connection(id),
        };
        let states: Vec<&[u8]> = changes.iter().map(|change| change.state.as_slice()).collect();
        self.send(target, &states, deadlines.send).await
    }

    /// To those who follow everything or an area.
    async fn announce_in_areas(&self, changes: &[Change], deadlines: Deadlines) -> Result<(), PublishError> {
        self.send_to_occupied(by_area(changes), deadlines).await
    }

    /// To those who follow single devices: they are looked for only where somebody is in the bucket.
    async fn announce_devices(&self, changes: &[Change], deadlines: Deadlines) -> Result<(), PublishError> {
        let buckets: BTreeSet<Group> = changes.iter().map(|change| Group::bucket(&change.device)).collect();
        let occupied = self.occupancy.with_members(buckets.into_iter().collect(), deadlines.ask).await;
        let perhaps = changes.iter().filter(|change| occupied.contains(&Group::bucket(&change.device)));
        let devices = perhaps.map(|change| (Group::Device(change.device.clone()), vec![&*change.state]));
        self.send_to_occupied(devices.collect(), deadlines).await
    }

    /// Each group that has members is sent what concerns it, whatever becomes of the others.
    async fn send_to_occupied(
        &self,
        mut states: ByGroup<'_>,
        deadlines: Deadlines,
    ) -> Result<(), PublishError> {
        let occupied = self.occupancy.with_members(states.keys().cloned().collect(), deadlines.ask).await;
        let occupied: Vec<_> = occupied.iter().filter_map(|group| states.remove_entry(group)).collect();
        let mut sends = Vec::with_capacity(occupied.len());
        for (group, states) in &occupied {
            sends.push(self.send_to_group(group, states, deadlines.send));
        }
        let results: Vec<_> = stream::iter(sends).buffer_unordered(IN_FLIGHT).collect().await;
        results.into_iter().collect()
    }

    async fn send_to_group(
        &self,
        group: &Group,
        states: &[&[u8]],
        deadline: Instant,
    ) -> Result<(), PublishError> {
        self.send(Target::Group(&group.to_string()), states, deadline).await
    }

    async fn send(
        &self,
        target: Target<'_>,
        states: &[&[u8]],
        deadline: Instant,
    ) -> Result<(), PublishError> {
        let failed = |error: &(dyn std::error::Error + 'static)| PublishError(chain(error));
        for frame in Message::frames(TARGET, states, BODY_LIMIT).map_err(|error| failed(&error))? {
            let frame = frame.map_err(|error| failed(&error))?;
            let left = deadline.saturating_duration_since(Instant::now());
            // A message that arrives twice does no harm: pages apply states by version.
            self.hub
                .send(target, &frame.message, Resend::Allowed, left)
                .await
                .map_err(|error| failed(&error))?;
        }
        Ok(())
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
