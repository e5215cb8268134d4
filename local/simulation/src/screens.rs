//! Screens as the page is: subscribe, hold live messages back, ask the store, apply by version, connect again when the
//! connection breaks, and then, and now and again, ask by cursor for what changed. One of them follows an area. One more
//! screen only ever hears announcements.

mod shown;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::sleep;

use self::shown::Shown;
pub(crate) use self::shown::Snapshot;
use crate::host::Host;
use crate::plan::Moment;
use crate::protection::Protection;
use crate::world::World;

/// Screens that ask the store.
pub(crate) const WATCHING: usize = 3;

/// The areas of the screens; the last screen, which only hears, follows everything as well.
const AREAS: [Option<&str>; WATCHING + 1] = [None, None, Some("north"), None];

/// How often the page asks although nothing seems to be wrong.
const RELOAD_EVERY: Duration = Duration::from_secs(300);

/// All screens.
pub(crate) struct Screens {
    world: Arc<World>,
    screens: Vec<Screen>,
}

struct Screen {
    shown: Mutex<Shown>,
    /// Until when the connection is broken.
    broken: watch::Sender<Moment>,
}

impl Screens {
    pub(crate) fn new(world: &Arc<World>) -> Screens {
        let screen = |(screen, area)| {
            let mut shown = Shown::new(screen, area);
            shown.listening = screen == WATCHING;
            Screen { shown: Mutex::new(shown), broken: watch::Sender::new(0) }
        };
        Screens { world: Arc::clone(world), screens: AREAS.into_iter().enumerate().map(screen).collect() }
    }

    pub(crate) fn count(&self) -> usize {
        self.screens.len()
    }

    /// Breaks a screen's connection.
    pub(crate) fn disconnect(&self, screen: usize, until: Moment) {
        let mut shown = self.shown(screen);
        (shown.listening, shown.held) = (false, None);
        self.screens[screen].broken.send_replace(until);
    }

    /// An announcement reaches a screen.
    pub(crate) fn hear(&self, screen: usize, states: &[Value]) {
        self.shown(screen).hear(&self.world, states);
    }

    /// The area that a screen follows.
    pub(crate) fn area(&self, screen: usize) -> Option<&'static str> {
        self.shown(screen).area
    }

    /// What a screen shows of devices that have been counted.
    pub(crate) fn devices(&self, screen: usize) -> BTreeMap<String, Value> {
        self.shown(screen).devices()
    }

    /// Whether every watching screen has loaded a snapshot that was asked for since.
    pub(crate) fn loaded_since(&self, moment: Moment) -> bool {
        (0..WATCHING).all(|screen| self.shown(screen).loaded.is_some_and(|at| at >= moment))
    }

    /// The life of a watching screen.
    pub(crate) async fn watch(self: Arc<Screens>, screen: usize, host: Arc<Host>) {
        let mut broken = self.screens[screen].broken.subscribe();
        for session in 0_u64.. {
            let mut dice = self.world.dice("screen", session * 16 + screen as u64);
            sleep(Duration::from_millis(dice.between(20, 500))).await;
            {
                let mut shown = self.shown(screen);
                (shown.listening, shown.held) = (true, Some(Vec::new()));
            }
            broken.mark_unchanged();
            tokio::select! {
                biased;
                _ = broken.changed() => {}
                () = self.keep_loading(screen, &host) => {}
            }
            let until = *broken.borrow();
            tokio::time::sleep_until(self.world.instant(until)).await;
        }
    }

    /// Asks the store for as long as the connection lasts: for everything at first, from then on for what changed.
    async fn keep_loading(&self, screen: usize, host: &Arc<Host>) {
        for turn in 0.. {
            let asked = self.world.now();
            if self.goes_on_blindly(screen, asked) {
                sleep(RELOAD_EVERY).await;
                continue;
            }
            let query = {
                let mut shown = self.shown(screen);
                shown.held.get_or_insert_default();
                query(&shown)
            };
            match host.snapshot(screen + turn, &query).await {
                Some(snapshot) => {
                    self.shown(screen).take_snapshot(&self.world, asked, &snapshot);
                    self.world.count("snapshots");
                    sleep(RELOAD_EVERY).await;
                }
                None => sleep(Duration::from_secs(1)).await,
            }
        }
    }

    /// Without catching up: a screen that has had a snapshot relies on what it hears.
    fn goes_on_blindly(&self, screen: usize, now: Moment) -> bool {
        let mut shown = self.shown(screen);
        let blindly = self.world.without == Some(Protection::CatchUp) && shown.cursor.is_some();
        if blindly {
            (shown.held, shown.loaded) = (None, Some(now));
        }
        blindly
    }

    fn shown(&self, screen: usize) -> MutexGuard<'_, Shown> {
        self.screens[screen].shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn query(shown: &Shown) -> String {
    let area = shown.area.map(|area| format!("geo={area}"));
    let since = shown.cursor.as_ref().map(|cursor| format!("since={cursor}"));
    let parts: Vec<String> = area.into_iter().chain(since).collect();
    parts.join("&")
}
