//! A page in headless Chromium; the protocol is described in `tests/clients/browser.mjs`.

use crate::script::{ClientError, OnDrop, Script};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the page does, in the order it happened.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum PageEvent {
    /// The load event has fired.
    Loaded,
    /// The browser or the page could not be opened. No event follows.
    Failed {
        /// The text of the browser.
        error: String,
    },
    /// Something was written to the console, by the page or by the browser.
    Console {
        /// `log`, `info`, `warning`, `error` and so on.
        level: String,
        /// The text.
        text: String,
    },
    /// An exception that the page did not catch.
    Error {
        /// Its text.
        text: String,
    },
    /// The page called `window.report(value)`.
    Report {
        /// The value, as JSON.
        value: Value,
    },
    /// The end of an evaluation. [`Browser::evaluate`] handles these events itself.
    Result {
        /// The number of the request.
        id: u64,
        /// The value, if there is one.
        result: Option<Value>,
        /// Why it failed.
        error: Option<String>,
    },
}

/// The colour scheme that the page's user prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colors {
    /// Dark text on a light ground.
    Light,
    /// Light text on a dark ground.
    Dark,
}

impl Colors {
    fn name(self) -> &'static str {
        match self {
            Colors::Light => "light",
            Colors::Dark => "dark",
        }
    }
}

/// The settings of the page's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The preferred colour scheme.
    pub colors: Colors,
    /// Whether the user prefers reduced motion.
    pub reduced_motion: bool,
    /// Width of the window in pixels.
    pub width: u32,
}

/// A browser with one page. It ends, with its temporary profile, when it is stopped or dropped.
pub struct Browser {
    script: Script,
    waiting: VecDeque<PageEvent>,
    evaluations: u64,
}

impl Browser {
    /// Starts a browser that opens `page_url`. Needs a tokio runtime.
    ///
    /// # Errors
    /// Node, the npm packages or Chromium are missing, or the process did not start.
    pub fn open(page_url: &str) -> Result<Browser, ClientError> {
        let chromium = find_chromium()?;
        let script = Script::spawn("browser.mjs", &[page_url, &chromium.to_string_lossy()], OnDrop::LetEnd)?;
        Ok(Browser { script, waiting: VecDeque::new(), evaluations: 0 })
    }

    /// The next event of the page.
    ///
    /// # Errors
    /// Nothing came before the deadline, or the process has ended.
    pub async fn next(&mut self, deadline: Duration) -> Result<PageEvent, ClientError> {
        match self.waiting.pop_front() {
            Some(event) => Ok(event),
            None => self.script.next(deadline).await,
        }
    }

    /// Evaluates a JavaScript expression in the page and awaits it if it is a promise. The inner error is the page's.
    /// Events that arrive meanwhile are kept for [`Browser::next`].
    ///
    /// # Errors
    /// No result came; the deadline is counted anew for each event before it.
    pub async fn evaluate(
        &mut self,
        expression: &str,
        deadline: Duration,
    ) -> Result<Result<Value, String>, ClientError> {
        self.ask(json!({ "do": "evaluate", "expression": expression }), deadline).await
    }

    /// Writes a picture of the visible part of the page as a PNG file. The inner error is the browser's.
    ///
    /// # Errors
    /// No result came; the deadline is counted anew for each event before it.
    pub async fn screenshot(
        &mut self,
        path: &Path,
        colors: Colors,
        deadline: Duration,
    ) -> Result<Result<(), String>, ClientError> {
        let command = json!({ "do": "screenshot", "path": path, "colors": colors.name() });
        let outcome = self.ask(command, deadline).await?;
        Ok(outcome.map(drop))
    }

    /// Reloads the page and waits for its load event. The inner error is the browser's.
    ///
    /// # Errors
    /// No result came; the deadline is counted anew for each event before it.
    pub async fn reload(&mut self, deadline: Duration) -> Result<Result<(), String>, ClientError> {
        let outcome = self.ask(json!({ "do": "reload" }), deadline).await?;
        Ok(outcome.map(drop))
    }

    /// Presses and releases a key, e.g. `Tab` or `Enter`, where the focus is. The inner error is the browser's.
    ///
    /// # Errors
    /// No result came; the deadline is counted anew for each event before it.
    pub async fn press(&mut self, key: &str, deadline: Duration) -> Result<Result<(), String>, ClientError> {
        let outcome = self.ask(json!({ "do": "press", "key": key }), deadline).await?;
        Ok(outcome.map(drop))
    }

    /// Emulates these settings of the user. The inner error is the browser's.
    ///
    /// # Errors
    /// No result came; the deadline is counted anew for each event before it.
    pub async fn emulate(
        &mut self,
        user: User,
        deadline: Duration,
    ) -> Result<Result<(), String>, ClientError> {
        let colors = user.colors.name();
        let motion = if user.reduced_motion { "reduce" } else { "no-preference" };
        let command = json!({ "do": "emulate", "colors": colors, "motion": motion, "width": user.width });
        let outcome = self.ask(command, deadline).await?;
        Ok(outcome.map(drop))
    }

    /// The problems that axe finds in the current page by WCAG 2.2, levels A and AA: an array of objects with `rule`,
    /// `help` and `nodes`. The inner error is the browser's.
    ///
    /// # Errors
    /// No result came; the deadline is counted anew for each event before it.
    pub async fn violations(&mut self, deadline: Duration) -> Result<Result<Value, String>, ClientError> {
        self.ask(json!({ "do": "violations" }), deadline).await
    }

    async fn ask(
        &mut self,
        mut command: Value,
        deadline: Duration,
    ) -> Result<Result<Value, String>, ClientError> {
        self.evaluations += 1;
        let asked = self.evaluations;
        command["id"] = asked.into();
        self.script.command(&command).await?;
        loop {
            match self.script.next(deadline).await? {
                PageEvent::Result { id, result, error } if id == asked => {
                    return Ok(error.map_or_else(|| Ok(result.unwrap_or(Value::Null)), Err));
                }
                event => self.waiting.push_back(event),
            }
        }
    }

    /// Closes the browser and waits until it is gone.
    ///
    /// # Errors
    /// The browser did not end and was killed.
    pub async fn stop(self) -> Result<(), ClientError> {
        self.script.stop().await
    }
}

/// The Chromium or Chrome program on the path.
///
/// # Errors
/// There is no such program.
pub fn find_chromium() -> Result<PathBuf, ClientError> {
    const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let places = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.into_iter().find(|place| place.is_file()).ok_or(ClientError::ChromiumMissing)
}
