//! Timer functions: what the handler is sent, and ticks by the clock, ordered, doubled, late, missed and too many.

use fieldcast_functions_host::{Host, Tick};
use serde_json::{Value, json};

use crate::{
    deadline::PATIENCE,
    director::{Order, Recorded},
    test_app::{TestApp, send},
};

/// An app with the timer function `T`.
async fn with_timer(extra: Value, retry: Value) -> TestApp {
    let test = TestApp::new().await;
    let mut binding =
        json!({"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 17 3 * * *"});
    binding.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    test.add_function("T", &json!({"bindings": [binding], "retry": retry}));
    test
}

async fn ticked(host: &Host, ticks: u64) {
    if let Err(status) = host.reached(PATIENCE, |status| status.ticks("T") >= ticks).await {
        panic!("{ticks} ticks did not happen: {status:?}");
    }
}

/// Orders this tick, and waits until it is done.
async fn tick(host: &Host, tick: Tick) {
    let before = host.status().ticks("T");
    host.faults().tick("T", tick);
    ticked(host, before + 1).await;
}

fn value(request: &Recorded) -> Value {
    request.json()["Data"]["timer"].clone()
}

fn next(request: &Recorded) -> String {
    value(request)["ScheduleStatus"]["Next"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_tick_is_posted_in_an_envelope() {
    let test = with_timer(json!({}), Value::Null).await;
    let host = test.start().await;
    host.faults().hold_timers();
    tick(&host, Tick::OnTime).await;
    tick(&host, Tick::OnTime).await;
    let [first, second] = &test.director.requests("/T")[..] else { panic!("two calls were expected") };
    assert_eq!(first.method, "POST");
    assert_eq!(first.header("content-type"), ["application/json; charset=utf-8"]);
    assert_eq!(first.header("x-azure-functions-invocationid").len(), 1);
    assert_eq!(first.json()["Metadata"]["sys"]["MethodName"], "T");
    assert_eq!(value(first)["Schedule"], json!({"AdjustForDST": true}));
    assert_eq!(value(first)["IsPastDue"], false);
    assert_eq!(value(first)["ScheduleStatus"]["Last"], "0001-01-01T00:00:00");
    // The first was due at its `Next`, and the second a day after it.
    assert_eq!(value(second)["ScheduleStatus"]["Last"], next(first).as_str());
    assert!(next(first).ends_with("T03:17:00+00:00"), "{}", next(first));
    assert!(next(second) > next(first));
    host.stop().await;
}

#[tokio::test]
async fn a_tick_comes_late_twice_or_not_at_all() {
    let test = with_timer(json!({}), Value::Null).await;
    let host = test.start().await;
    host.faults().hold_timers();
    tick(&host, Tick::Late).await;
    assert_eq!(value(&test.director.requests("/T")[0])["IsPastDue"], true);
    tick(&host, Tick::Doubled).await;
    let calls = test.director.requests("/T");
    assert_eq!(calls.len(), 3);
    assert_eq!(value(&calls[1]), value(&calls[2]));
    tick(&host, Tick::Missed).await;
    tick(&host, Tick::OnTime).await;
    let calls = test.director.requests("/T");
    assert_eq!(calls.len(), 4);
    assert_ne!(value(&calls[3])["ScheduleStatus"]["Last"], next(&calls[2]).as_str());
    host.stop().await;
}

#[tokio::test]
async fn the_clock_ticks_and_one_call_is_made_at_a_time() {
    let test = with_timer(json!({"schedule": "* * * * * *"}), Value::Null).await;
    test.director.hold("/T");
    let host = test.start().await;
    let first = test.director.received("/T", 1).await;
    assert_eq!(value(&first[0])["ScheduleStatus"], Value::Null, "too frequent to be remembered");
    // Ordered while the first call is open: it waits.
    host.faults().hold_timers();
    host.faults().tick("T", Tick::OnTime);
    assert_eq!(test.director.requests("/T").len(), 1);
    test.director.release("/T");
    ticked(&host, 2).await;
    assert_eq!(test.director.requests("/T")[1].answered_before, first[0].answered_before + 1);
    host.stop().await;
}

#[tokio::test]
async fn a_failure_does_not_stop_the_schedule_and_a_policy_retries_it() {
    let retry = json!({"strategy": "fixedDelay", "maxRetryCount": 1, "delayInterval": "00:00:00.01"});
    let test = with_timer(json!({}), retry).await;
    test.director.order("/T", [Order::empty(500), Order::empty(500), Order::success()]);
    let host = test.start().await;
    host.faults().hold_timers();
    tick(&host, Tick::OnTime).await;
    tick(&host, Tick::OnTime).await;
    let counts: Vec<Value> = test.director.requests("/T").iter().map(retries).collect();
    assert_eq!(counts, [0, 1, 0]);
    host.stop().await;
}

fn retries(request: &Recorded) -> Value {
    request.json()["Metadata"]["RetryContext"]["RetryCount"].clone()
}

#[tokio::test]
async fn a_tick_that_was_missed_while_the_host_was_down_comes_late() {
    let mut test = with_timer(json!({}), Value::Null).await;
    test.config.data_dir = Some(test.folder("data"));
    let file = test.folder("data/timers").join("T");
    let stored = json!({"Last": "2026-01-01T03:17:00Z", "Next": "2026-01-02T03:17:00Z", "LastUpdated": null});
    std::fs::write(&file, stored.to_string()).unwrap();
    let host = test.start().await;
    ticked(&host, 1).await;
    let late = &test.director.requests("/T")[0];
    assert_eq!(value(late)["IsPastDue"], true);
    assert_eq!(value(late)["ScheduleStatus"]["Last"], "2026-01-01T03:17:00+00:00");
    host.stop().await;
    // It is made up for once.
    let host = test.start().await;
    if let Err(status) = host.reached(PATIENCE, |status| !status.timers.is_empty()).await {
        panic!("the timer was not started: {status:?}");
    }
    assert_eq!(test.director.requests("/T").len(), 1);
    host.stop().await;
}

#[tokio::test]
async fn a_timer_runs_at_the_start_where_it_says_so_and_when_a_person_asks() {
    let test = with_timer(json!({"runOnStartup": true, "useMonitor": false}), Value::Null).await;
    let host = test.start().await;
    ticked(&host, 1).await;
    let json_type = "Content-Type: application/json";
    let reply = send(host.address(), "POST /admin/functions/T", &[json_type], r#"{"input":""}"#).await;
    assert_eq!(reply.status, 202);
    let calls = test.director.received("/T", 2).await;
    for call in &calls {
        assert_eq!(
            (&value(call)["ScheduleStatus"], &value(call)["IsPastDue"]),
            (&Value::Null, &json!(false))
        );
    }
    host.stop().await;
}
