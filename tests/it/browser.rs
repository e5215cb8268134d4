//! The dashboard in Chromium: what is on the page, that it converges, and that the console is clean.

use std::path::PathBuf;

use fieldcast_test_clients::{Browser, Colors, PageEvent};
use serde_json::{Value, json};

use crate::stack::{Options, PATIENCE, Stack};

/// The built page; `cargo dev test` builds it.
pub(crate) fn built_dashboard() -> PathBuf {
    let pages = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dashboard/dist");
    assert!(pages.join("index.html").exists(), "the dashboard is not built; run `cargo dev test`");
    pages
}

/// Where the pictures of the page go; the one in the README is copied from here.
fn pictures() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Waits until an expression is true in the page.
pub(crate) async fn await_page(page: &mut Browser, expression: &str) {
    let deadline = PATIENCE.as_millis();
    // Polled in the page, so that one round trip waits for the condition.
    let script = format!(
        "new Promise((done, fail) => {{ const end = Date.now() + {deadline}; const look = () => {{ \
         if ({expression}) return done(true); \
         if (Date.now() > end) return fail(new Error(document.body.innerText.slice(0, 2000))); \
         setTimeout(look, 50); }}; look(); }})"
    );
    let outcome = page.evaluate(&script, PATIENCE * 2).await.unwrap();
    if let Err(error) = outcome {
        panic!("{expression} did not come true; the page shows: {error}");
    }
}

async fn text(page: &mut Browser, selector: &str) -> String {
    let expression = format!("document.querySelector({})?.textContent.trim() ?? 'nothing'", json!(selector));
    match page.evaluate(&expression, PATIENCE).await.unwrap() {
        Ok(Value::String(text)) => text,
        other => panic!("{selector}: {other:?}"),
    }
}

/// Nothing was written to the console as a warning or an error, and no exception escaped.
pub(crate) async fn clean_console(page: &mut Browser) {
    page.evaluate("report('end')", PATIENCE).await.unwrap().unwrap();
    loop {
        match page.next(PATIENCE).await.unwrap() {
            PageEvent::Report { .. } => return,
            PageEvent::Console { level, text } => {
                assert!(level != "warning" && level != "error", "console {level}: {text}");
            }
            PageEvent::Error { text } => panic!("uncaught: {text}"),
            PageEvent::Failed { error } => panic!("{error}"),
            _ => {}
        }
    }
}

/// Twelve devices in three areas with a few minutes of history, the picture in the README.
async fn send_history(stack: &Stack) {
    for round in 0..40 {
        for device in 0..12 {
            let area = ["Bondi", "Manly", "Sydney"][device % 3];
            let wave = (f64::from(round) / 6.0 + f64::from(u32::try_from(device).unwrap())).sin();
            let body = json!({
                "temperature": (18.0 + 4.0 * wave + f64::from(u32::try_from(device).unwrap()) / 4.0) ,
                "humidity": 55.0 - 10.0 * wave,
                "pressure": 1013.0 + 2.0 * wave,
                "light": if device == 4 { Value::Null } else { json!(300.0 + 200.0 * wave) },
                "geo": area,
            });
            stack.send(&format!("weather-{device:02}"), body.to_string()).await;
        }
        stack.drained().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_every_device_live_and_its_console_is_clean() {
    let data = tempfile::tempdir().unwrap();
    let pages = built_dashboard();
    let options = Options { pages: Some(&pages), ..Options::default() };
    let stack = Stack::start(&format!("Embedded={}", data.path().display()), options).await;
    stack.send("zulu", r#"{"temperature":20,"humidity":0,"geo":"Manly"}"#).await;
    stack.drained().await;
    let mut page = Browser::open(&stack.url("/")).unwrap();
    await_page(&mut page, r#"document.querySelector('[data-testid="link-state"]').dataset.state === "live""#)
        .await;
    await_page(&mut page, r#"document.querySelector('tr[data-device="zulu"]') !== null"#).await;
    assert_eq!(text(&mut page, r#"tr[data-device="zulu"] td[data-field="count"]"#).await, "1");
    let humidity = text(&mut page, r#"tr[data-device="zulu"] td[data-field="humidity"]"#).await;
    assert!(humidity.starts_with('0'), "zero is a value: {humidity}");
    assert_eq!(text(&mut page, r#"tr[data-device="zulu"] td[data-field="area"]"#).await, "Manly");

    send_history(&stack).await;
    await_page(&mut page, r#"document.querySelectorAll('tr[data-device]').length === 13"#).await;
    await_page(
        &mut page,
        r#"document.querySelector('tr[data-device="weather-04"] td[data-field="count"]').textContent.trim() === "40""#,
    )
    .await;
    let missing = text(&mut page, r#"tr[data-device="weather-04"] td[data-field="light"]"#).await;
    assert!(!missing.contains('0'), "a missing value is not zero: {missing}");

    for (colors, name) in [(Colors::Light, "dashboard-light.png"), (Colors::Dark, "dashboard-dark.png")] {
        let path = pictures().join(name);
        page.screenshot(&path, colors, PATIENCE).await.unwrap().unwrap();
        assert!(path.metadata().unwrap().len() > 20_000, "a picture of something");
    }
    clean_console(&mut page).await;

    stack.signalr.faults().cut_clients();
    stack.send("zulu", r#"{"temperature":5}"#).await;
    await_page(
        &mut page,
        r#"document.querySelector('tr[data-device="zulu"] td[data-field="count"]').textContent.trim() === "2""#,
    )
    .await;
    await_page(&mut page, r#"document.querySelector('[data-testid="link-state"]').dataset.state === "live""#)
        .await;
    page.stop().await.unwrap();
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_loads_nothing_from_another_site() {
    let pages = built_dashboard();
    let mut looked_at = 0;
    for entry in std::fs::read_dir(pages.join("assets")).unwrap().chain(std::fs::read_dir(&pages).unwrap()) {
        let path = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        looked_at += 1;
        for loader in ["src=\"http", "href=\"http", "url(http", "@import \"http", "from\"http"] {
            assert!(!text.contains(loader), "{} has {loader}", path.display());
        }
    }
    assert!(looked_at >= 3, "html, css and js");
}
