//! The publisher behind the handler's second seam: announcements travel to each screen on their own, and may be lost,
//! doubled, late or refused.

use std::sync::Arc;
use std::time::Duration;

use fieldcast::screens::publish::{Audience, Change, PublishError, Publisher};
use fieldcast::store::Reply;
use serde_json::Value;
use tokio::time::sleep;

use crate::plan::{Fault, PushTrouble};
use crate::protection::Protection;
use crate::screens::Screens;
use crate::world::World;

/// The way from handlers to screens.
pub(crate) struct SimulatedPublisher {
    pub(crate) world: Arc<World>,
    pub(crate) screens: Arc<Screens>,
}

impl SimulatedPublisher {
    async fn announce(&self, changes: &[Change], patience: Duration) -> Result<(), PublishError> {
        let (call, trouble) = self.world.faults.push();
        let mut dice = self.world.dice("push", call);
        let outage = self.world.faults.push_outage(self.world.now());
        if let Some(trouble) = trouble {
            self.world.injected(Fault::Push { call, trouble }.kind());
        }
        if outage {
            self.world.injected("push: outage");
        }
        let heard = !outage && !matches!(trouble, Some(PushTrouble::Lost | PushTrouble::Fails));
        if heard {
            let late = match trouble {
                Some(PushTrouble::Late(delay)) => delay,
                _ => 0,
            };
            self.send(changes, call, late);
            if let Some(PushTrouble::Doubled(delay)) = trouble {
                self.send(changes, call, delay);
            }
        }
        let answered = Duration::from_millis(dice.between(1, 30)).min(patience);
        sleep(answered).await;
        match outage || matches!(trouble, Some(PushTrouble::Fails | PushTrouble::HeardButFails)) {
            true => Err(PublishError("503".to_owned())),
            false => Ok(()),
        }
    }

    /// Each screen hears what concerns it at a moment of its own.
    fn send(&self, changes: &[Change], call: u64, late: u64) {
        for screen in 0..self.screens.count() {
            let states = self.states_for(screen, changes);
            let mut dice = self.world.dice("push to a screen", call * 16 + screen as u64);
            let delay = Duration::from_millis(late + dice.between(1, 60));
            let screens = Arc::clone(&self.screens);
            let under_way = self.world.begin();
            tokio::spawn(async move {
                sleep(delay).await;
                screens.hear(screen, &states);
                drop(under_way);
            });
        }
    }

    /// Who follows an area hears of the devices in it, and of those that leave it.
    fn states_for(&self, screen: usize, changes: &[Change]) -> Vec<Value> {
        let area = self.screens.area(screen);
        let left_counts = self.world.without != Some(Protection::Elsewhere);
        let concerned = |change: &&Change| {
            area.is_none()
                || change.area.as_deref() == area
                || (left_counts && change.left.as_deref() == area)
        };
        let read =
            |change: &Change| serde_json::from_slice(&change.state).expect("an announced state is JSON");
        changes.iter().filter(concerned).map(read).collect()
    }
}

impl Publisher for SimulatedPublisher {
    fn publish<'a>(
        &'a self,
        _audience: Audience<'a>,
        changes: &'a [Change],
        patience: Duration,
    ) -> Reply<'a, Result<(), PublishError>> {
        Box::pin(self.announce(changes, patience))
    }
}
