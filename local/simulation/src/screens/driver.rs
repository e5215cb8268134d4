//! Keeps the page's code and the world in step: what happens is told to the page at once, and what the page wants of its
//! network is done in the world's time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::Response;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::outside::{Forward, NoConnection, Outside};
use super::relying::{Subscriptions, emptied, settled_at_once};
use crate::browser::{Answer, Browser, Command, Headers, Settings, Shown, Wish};
use crate::protection::Protection;
use crate::scenario::{HUB_EPOCH, Moment};
use crate::signalr::SignalR;
use crate::workload::Following;
use crate::world::World;

/// All screens.
pub(crate) struct Screens {
    world: Arc<World>,
    outside: Outside,
    browser: Browser,
    screens: Mutex<Vec<Screen>>,
    /// When the page's next timer is due.
    wakes_at: watch::Sender<Option<Moment>>,
}

/// What the page said last of a screen.
#[derive(Default)]
struct Screen {
    is_live: bool,
    /// When the question was asked whose answer it took in last.
    loaded: Option<Moment>,
    subscriptions: Subscriptions,
}

impl Screens {
    /// Opens the screens of a run, each at its moment.
    pub(crate) fn open(
        world: &Arc<World>,
        signalr: &Arc<SignalR>,
        forward: Forward,
        browser: &Browser,
    ) -> Arc<Screens> {
        let screens = Arc::new(Screens {
            world: Arc::clone(world),
            outside: Outside::new(world, signalr, forward),
            browser: browser.clone(),
            screens: Mutex::new(world.workload.screens.iter().map(|_| Screen::default()).collect()),
            wakes_at: watch::Sender::new(None),
        });
        screens.tell(&Command::Begin { screens: &settings(world) });
        tokio::spawn(Arc::clone(&screens).run_timers());
        for (screen, plan) in world.workload.screens.iter().enumerate() {
            screens.tell_at(plan.opens, Command::Start { screen });
        }
        screens
    }

    /// Takes a screen's network away. When it is back, some machines say so to the page.
    pub(crate) fn disconnect(self: &Arc<Screens>, screen: usize, until: Moment) {
        for connection in self.outside.disconnect(screen, until) {
            self.tell(&Command::Closed { connection });
        }
        if self.world.dice("back online", until).percent(50) {
            self.tell_at(until, Command::RetryNow { screen });
        }
    }

    /// What is sent to a screen is lost for a while.
    pub(crate) fn deafen(&self, screen: usize, until: Moment) {
        self.outside.deafen(screen, until);
    }

    /// A screen follows something else.
    pub(crate) fn follow(self: &Arc<Screens>, screen: usize, following: &Following) {
        self.tell(&Command::Follow { screen, following });
    }

    /// Whether every screen is live and has asked the store since.
    pub(crate) fn have_caught_up_since(&self, moment: Moment) -> bool {
        self.screens().iter().all(|screen| screen.is_live && screen.loaded.is_some_and(|at| at > moment))
    }

    /// What somebody sees who looks at a screen.
    pub(crate) fn shown(self: &Arc<Screens>, screen: usize) -> Option<Shown> {
        self.tell(&Command::Show { screen })?.shown
    }

    /// Tells the page what happens, and sees to what it wants then. Nothing comes back from a page that has failed.
    fn tell(self: &Arc<Screens>, command: &Command<'_>) -> Option<Answer> {
        let now = HUB_EPOCH + i64::try_from(self.world.now()).expect("a run is short");
        match self.browser.ask(now, command) {
            Ok(mut answer) => {
                self.note(&answer);
                answer.requests.drain(..).for_each(|wish| self.fulfil(wish));
                Some(answer)
            }
            Err(error) => {
                self.world.violated("the page's code runs", error.to_string());
                None
            }
        }
    }

    fn tell_at(self: &Arc<Screens>, at: Moment, command: Command<'static>) {
        let (screens, at) = (Arc::clone(self), self.world.instant(at));
        tokio::spawn(async move {
            sleep_until(at).await;
            screens.tell(&command);
        });
    }

    fn note(&self, answer: &Answer) {
        for state in &answer.screens {
            let screen = &mut self.screens()[state.screen];
            screen.is_live = state.status == "live";
            screen.loaded = state.loaded.map(moment);
            if let Some(loaded) = screen.loaded {
                screen.subscriptions.loaded(loaded);
            }
            self.world.tell(|| format!("screen {}: {}", state.screen, state.status));
        }
        for broken in &answer.violations {
            self.world
                .violated(promise(&broken.promise), format!("screen {}: {}", broken.screen, broken.detail));
        }
        self.wakes_at.send_if_modified(|at| {
            let next = answer.wake_at.map(moment);
            std::mem::replace(at, next) != next
        });
    }

    fn fulfil(self: &Arc<Screens>, wish: Wish) {
        let screens = Arc::clone(self);
        match wish {
            Wish::Start { screen, connection } => {
                drop(tokio::spawn(async move { screens.connect(screen, connection).await }));
            }
            Wish::End { screen, connection } => {
                self.world.count("connections that the page gave up");
                self.outside.end(screen, connection);
            }
            Wish::Fetch { screen, request, method, path, body } => {
                drop(tokio::spawn(async move { screens.fetch(screen, request, &method, &path, body).await }));
            }
            // Whoever was called does not hear of it.
            Wish::Abort {} => {}
        }
    }

    /// The life of a connection.
    async fn connect(self: Arc<Screens>, screen: usize, connection: u64) {
        self.screens()[screen].subscriptions.begin();
        let mut opened = match self.outside.connect(screen, connection).await {
            Ok(opened) => opened,
            Err(NoConnection::Silence) => return,
            Err(NoConnection::Failed(step, status)) => {
                self.tell(&Command::StartFailed { connection, step, status });
                return;
            }
        };
        self.world.tell(|| format!("screen {screen} has {}", opened.id));
        self.tell(&Command::Started { connection, connection_id: &opened.id });
        while let Some(message) = opened.messages.recv().await {
            if self.outside.is_deaf(screen) {
                self.world.injected("screen: deaf connection");
                continue;
            }
            let (target, arguments) = (&*message.target, &*message.arguments);
            self.tell(&Command::Message { connection, target, arguments });
        }
    }

    async fn fetch(
        self: Arc<Screens>,
        screen: usize,
        request: u64,
        method: &str,
        path: &str,
        sent: Option<String>,
    ) {
        let is_question = path.starts_with("/api/getdevicestate");
        let is_in_vain = is_question && self.relies_on_pushes(screen) && path.contains("since=");
        let Some(answer) = self.outside.fetch(screen, method, path, sent).await else {
            self.tell(&Command::FetchFailed { request });
            return;
        };
        let (status, mut body) = (answer.status(), text(&answer));
        if is_question && status.is_success() {
            self.world.count("snapshots and catch-ups");
            if is_in_vain {
                body = emptied(&body);
            }
        }
        if method == "PUT" && status.is_success() {
            if self.world.without == Some(Protection::GroupSettling) {
                body = settled_at_once(&body);
            }
            self.screens()[screen].subscriptions.confirmed(self.world.now(), &body);
        }
        let headers = Headers { date: self.date() };
        self.tell(&Command::Fetched { request, status: status.as_u16(), headers, body: &body });
    }

    /// Whether a screen now has to do with what it hears.
    fn relies_on_pushes(&self, screen: usize) -> bool {
        self.world.workload.screens[screen].relies_on_pushes
            && self.screens()[screen].subscriptions.are_settled()
    }

    async fn run_timers(self: Arc<Screens>) {
        let mut wakes_at = self.wakes_at.subscribe();
        loop {
            let due = wakes_at.borrow_and_update().map(|at| self.world.instant(at));
            tokio::select! {
                biased;
                _ = wakes_at.changed() => {}
                () = async { match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                } } => {
                    self.tell(&Command::Advance);
                }
            }
        }
    }

    /// The host's clock, as HTTP writes it.
    fn date(&self) -> String {
        let now = HUB_EPOCH + i64::try_from(self.world.now()).expect("a run is short");
        let now = Timestamp::from_millisecond(now).expect("a simulated time is one");
        now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    fn screens(&self) -> MutexGuard<'_, Vec<Screen>> {
        self.screens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn settings(world: &World) -> Vec<Settings> {
    let without = match world.without {
        Some(Protection::ScreenVersion) => Some("ScreenVersion"),
        Some(Protection::CatchUp) => Some("CatchUp"),
        Some(Protection::Elsewhere) => Some("Elsewhere"),
        _ => None,
    };
    let settings = |(number, screen): (usize, &crate::workload::Screen)| Settings {
        following: screen.following.clone(),
        seed: u32::try_from(world.dice("screen", number as u64).below(1 << 32)).expect("32 bits"),
        without,
        attentive: screen.attentive,
    };
    world.workload.screens.iter().enumerate().map(settings).collect()
}

fn text(answer: &Response<Bytes>) -> String {
    String::from_utf8_lossy(answer.body()).into_owned()
}

/// A time of the page, which is not before the run.
fn moment(time: i64) -> Moment {
    Moment::try_from(time - HUB_EPOCH).unwrap_or_default()
}

/// The promises of the page, as the engine names them.
fn promise(name: &str) -> &'static str {
    let promises = [
        "no screen shows older after newer",
        "one version is one state",
        "a screen shows only what it follows",
    ];
    promises.into_iter().find(|promise| *promise == name).unwrap_or("the page keeps its promises")
}
