//! The publisher behind the handler's second seam: announcements travel to each screen on their own, and may be lost,
//! doubled, late or refused.

use std::sync::Arc;
use std::time::Duration;

use fieldcast::publish::{Audience, Change, PublishError, Publisher};
use fieldcast::store::Reply;
use serde_json::Value;
use tokio::time::sleep;

use crate::plan::{Fault, PushTrouble};
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
        let read =
            |change: &Change| serde_json::from_slice(&change.state).expect("an announced state is JSON");
        let states: Arc<Vec<Value>> = Arc::new(changes.iter().map(read).collect());
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
            self.send(&states, call, late);
            if let Some(PushTrouble::Doubled(delay)) = trouble {
                self.send(&states, call, delay);
            }
        }
        let answered = Duration::from_millis(dice.between(1, 30)).min(patience);
        sleep(answered).await;
        match outage || matches!(trouble, Some(PushTrouble::Fails | PushTrouble::HeardButFails)) {
            true => Err(PublishError("503".to_owned())),
            false => Ok(()),
        }
    }

    /// Each screen hears it at a moment of its own.
    fn send(&self, states: &Arc<Vec<Value>>, call: u64, late: u64) {
        for screen in 0..self.screens.count() {
            let mut dice = self.world.dice("push to a screen", call * 16 + screen as u64);
            let delay = Duration::from_millis(late + dice.between(1, 60));
            let (screens, states) = (Arc::clone(&self.screens), Arc::clone(states));
            let under_way = self.world.begin();
            tokio::spawn(async move {
                sleep(delay).await;
                screens.hear(screen, &states);
                drop(under_way);
            });
        }
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
