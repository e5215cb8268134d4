//! The dashboard in Chromium: what is on the page, that it converges, and that the console is clean.

use std::path::{Path, PathBuf};

use fieldcast_test_clients::{Browser, Colors, PageEvent, User};
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

/// A page with three devices in two areas, one of which has sent a reading that was rejected.
async fn page_with_devices(pages: &Path, data: &Path) -> (Stack, Browser) {
    let options = Options { pages: Some(pages), ..Options::default() };
    let stack = Stack::start(&format!("Embedded={}", data.display()), options).await;
    for (device, area) in [("alpha", "Manly"), ("bravo", "Bondi"), ("charlie", "Manly")] {
        let body = json!({ "temperature": 20, "humidity": 50, "geo": area });
        stack.send(device, body.to_string()).await;
    }
    stack.send("bravo", r#"{"temperature":900,"note":"<b>bold</b>"}"#).await;
    stack.drained().await;
    let mut page = Browser::open(&stack.url("/")).unwrap();
    await_page(&mut page, "document.querySelectorAll('tr[data-device]').length === 3").await;
    (stack, page)
}

async fn press(page: &mut Browser, key: &str) {
    page.press(key, PATIENCE).await.unwrap().unwrap();
}

/// The element that has the focus, as `tag`, `tag#id` or, within a row, `tag@device`.
async fn focused(page: &mut Browser) -> String {
    let expression = "(() => { const at = document.activeElement; const row = at.closest('tr[data-device]'); \
         const tag = at.localName; \
         return row ? `${tag}@${row.dataset.device}` : at.id ? `${tag}#${at.id}` : tag; })()";
    page.evaluate(expression, PATIENCE).await.unwrap().unwrap().as_str().unwrap().to_owned()
}

/// Goes on with the Tab key until an element has the focus.
async fn tab_to(page: &mut Browser, wanted: &str) {
    let mut passed = Vec::new();
    for _ in 0..60 {
        press(page, "Tab").await;
        let at = focused(page).await;
        if at == wanted {
            return;
        }
        passed.push(at);
    }
    panic!("the Tab key does not lead to {wanted}, but to {passed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_in_either_colour_scheme_with_the_drawer_open_or_closed() {
    let data = tempfile::tempdir().unwrap();
    let (stack, mut page) = page_with_devices(&built_dashboard(), data.path()).await;
    let user = |colors, reduced_motion, width| User { colors, reduced_motion, width };
    let users = [
        user(Colors::Light, false, 1280),
        user(Colors::Dark, false, 1280),
        user(Colors::Light, true, 1280),
        user(Colors::Dark, true, 400),
    ];
    let states = [
        ("closed", "document.querySelector('#drawer[open]') === null", "0"),
        (
            "drawer open",
            "document.querySelectorAll('#drawer[open] [data-measure]').length === 2 \
             && !document.querySelector('#rejected-status').textContent.includes('Asking')",
            "document.querySelector('tr[data-device=\"bravo\"] .device-name').click()",
        ),
        (
            "menu open",
            "document.querySelectorAll('#areas-menu:popover-open #areas-list input').length === 2",
            "document.querySelector('#areas').click()",
        ),
    ];
    for user in users {
        page.emulate(user, PATIENCE).await.unwrap().unwrap();
        for (state, reached, open) in states {
            page.evaluate(open, PATIENCE).await.unwrap().unwrap();
            await_page(&mut page, reached).await;
            let violations = page.violations(PATIENCE).await.unwrap().unwrap();
            assert_eq!(violations, json!([]), "{state}, {user:?}: {violations:#}");
        }
        // The menu goes first, as the topmost.
        page.evaluate("document.querySelector('#areas-menu').hidePopover()", PATIENCE)
            .await
            .unwrap()
            .unwrap();
        page.evaluate("document.querySelector('#drawer-close').click()", PATIENCE).await.unwrap().unwrap();
    }
    page.stop().await.unwrap();
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_reached_with_the_keyboard_and_the_focus_comes_back() {
    let data = tempfile::tempdir().unwrap();
    let (stack, mut page) = page_with_devices(&built_dashboard(), data.path()).await;

    tab_to(&mut page, "div#scroller").await;
    press(&mut page, "ArrowDown").await;
    press(&mut page, "ArrowDown").await;
    assert_eq!(focused(&mut page).await, "button@bravo");
    press(&mut page, "Enter").await;
    await_page(&mut page, "document.activeElement.id === 'drawer-title'").await;
    assert_eq!(text(&mut page, "#drawer-title").await, "bravo");
    assert_eq!(text(&mut page, "#drawer [data-fact='area']").await, "Bondi");
    assert_eq!(text(&mut page, "[data-measure='temperature'] .measure-range").await, "valid −40 to 80 °C");
    await_page(&mut page, "document.querySelectorAll('#rejected-list > li').length === 1").await;
    assert_eq!(text(&mut page, "#rejected-list strong").await, "Out of range");
    let sent = r#"{"temperature":900,"note":"<b>bold</b>"}"#;
    assert_eq!(text(&mut page, "#rejected-list pre").await, sent, "text, not markup");
    tab_to(&mut page, "button#drawer-close").await;
    tab_to(&mut page, "button#rejected-refresh").await;
    press(&mut page, "Escape").await;
    await_page(&mut page, "document.querySelector('#drawer[open]') === null").await;
    assert_eq!(focused(&mut page).await, "button@bravo");

    press(&mut page, "Shift+Tab").await;
    assert_eq!(focused(&mut page).await, "input@bravo");
    press(&mut page, "ArrowDown").await;
    assert_eq!(focused(&mut page).await, "input@charlie");
    press(&mut page, "Enter").await;
    await_page(&mut page, "document.querySelector('#drawer-title').textContent === 'charlie'").await;
    press(&mut page, "Escape").await;
    await_page(&mut page, "document.querySelector('#drawer[open]') === null").await;

    tab_to(&mut page, "button#areas").await;
    press(&mut page, "Enter").await;
    await_page(&mut page, "document.activeElement.id === 'areas-all'").await;
    press(&mut page, "ArrowDown").await;
    press(&mut page, "Space").await;
    await_page(&mut page, "document.querySelectorAll('tr[data-device]').length === 1").await;
    press(&mut page, "Escape").await;
    assert_eq!(focused(&mut page).await, "button#areas");
    assert_eq!(text(&mut page, "#areas").await, "Bondi");
    page.reload(PATIENCE).await.unwrap().unwrap();
    await_page(&mut page, "document.querySelector('#areas')?.textContent === 'Bondi'").await;
    await_page(&mut page, "document.querySelectorAll('tr[data-device]').length === 1").await;
    page.stop().await.unwrap();
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_page_counts_what_waits_and_shows_it_when_it_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let (stack, mut page) = page_with_devices(&built_dashboard(), data.path()).await;
    let count = r#"tr[data-device="alpha"] td[data-field="count"]"#;
    let live = r#"document.querySelector('[data-testid="link-state"]').dataset.state === "live""#;
    await_page(&mut page, live).await;
    page.evaluate("document.querySelector('#pause').click()", PATIENCE).await.unwrap().unwrap();
    for waiting in 1..=3 {
        stack.send("alpha", r#"{"temperature":21}"#).await;
        stack.drained().await;
        let grown = format!("document.querySelector('#pause').textContent === 'Resume · {waiting} new'");
        await_page(&mut page, &grown).await;
        assert_eq!(text(&mut page, count).await, "1", "nothing moves on a paused page");
    }
    page.evaluate("document.querySelector('#pause').click()", PATIENCE).await.unwrap().unwrap();
    await_page(&mut page, &format!("document.querySelector('{count}').textContent === '4'")).await;
    assert_eq!(text(&mut page, "#pause").await, "Pause");
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
