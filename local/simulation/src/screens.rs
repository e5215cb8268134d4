//! Screens as the page is: subscribe, hold live messages back, load the snapshot, apply by version, load again now and
//! then, connect again when the connection breaks. One more screen only ever hears announcements.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::host::Host;
use crate::plan::Moment;
use crate::protection::Protection;
use crate::world::World;

/// Screens that load snapshots.
pub(crate) const WATCHING: usize = 2;

/// How often the page loads a snapshot although nothing seems to be wrong.
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

/// What one screen shows.
#[derive(Default)]
struct Shown {
    listening: bool,
    /// Live messages that wait for a snapshot.
    held: Option<Vec<Value>>,
    devices: BTreeMap<String, Value>,
    /// When the snapshot was asked for that was loaded last.
    loaded: Option<Moment>,
}

impl Screens {
    pub(crate) fn new(world: &Arc<World>) -> Screens {
        let mut screens: Vec<Screen> = (0..=WATCHING)
            .map(|_| Screen { shown: Mutex::default(), broken: watch::Sender::new(0) })
            .collect();
        if let Some(hearing) = screens.last_mut() {
            hearing.shown.get_mut().unwrap_or_else(PoisonError::into_inner).listening = true;
        }
        Screens { world: Arc::clone(world), screens }
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
        let mut shown = self.shown(screen);
        if !shown.listening {
            return;
        }
        match &mut shown.held {
            Some(held) => held.extend_from_slice(states),
            None => self.show(screen, &mut shown, states),
        }
    }

    /// What a screen shows of devices that have been counted.
    pub(crate) fn devices(&self, screen: usize) -> BTreeMap<String, Value> {
        let shown = self.shown(screen);
        let counted = shown.devices.iter().filter(|(_, state)| whole(state, "count") > 0);
        counted.map(|(device, state)| (device.clone(), state.clone())).collect()
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

    /// Loads snapshots for as long as the connection lasts.
    async fn keep_loading(&self, screen: usize, host: &Arc<Host>) {
        for turn in 0.. {
            self.shown(screen).held.get_or_insert_default();
            let asked = self.world.now();
            match host.snapshot(screen + turn).await {
                Some(devices) => {
                    self.take_snapshot(screen, asked, &devices);
                    sleep(RELOAD_EVERY).await;
                }
                None => sleep(Duration::from_secs(1)).await,
            }
        }
    }

    /// Shows a snapshot and what was held back meanwhile.
    fn take_snapshot(&self, screen: usize, asked: Moment, devices: &[Value]) {
        let mut shown = self.shown(screen);
        self.show(screen, &mut shown, devices);
        let held = shown.held.take().unwrap_or_default();
        self.show(screen, &mut shown, &held);
        shown.loaded = Some(asked);
        self.world.count("snapshots");
    }

    fn show(&self, screen: usize, shown: &mut Shown, states: &[Value]) {
        for state in states {
            let device = state["deviceId"].as_str().unwrap_or_default().to_owned();
            let version = whole(state, "version");
            let Some(before) = shown.devices.get(&device) else {
                shown.devices.insert(device, state.clone());
                continue;
            };
            let shows = whole(before, "version");
            let older = version < shows;
            if version == shows && before != state {
                let detail = format!("screen {screen}, {device}: {before} and {state}");
                self.world.violated("one version is one state", detail);
            }
            if older && self.world.without == Some(Protection::ScreenVersion) {
                let detail = format!("screen {screen}, {device}: version {version} after {shows}");
                self.world.violated("no screen shows older after newer", detail);
            }
            if version > shows || self.world.without == Some(Protection::ScreenVersion) {
                shown.devices.insert(device, state.clone());
            }
        }
    }

    fn shown(&self, screen: usize) -> MutexGuard<'_, Shown> {
        self.screens[screen].shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whole(state: &Value, field: &str) -> i64 {
    state[field].as_i64().unwrap_or_default()
}
