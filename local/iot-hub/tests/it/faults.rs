//! Faults on request, and the rate limit.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use fieldcast_iot_hub::{FaultPoint, HubConfig, StatusCode};
use tokio::task::JoinSet;

use crate::support::{TestHub, config, refusal};

async fn status(test: &TestHub, body: &'static str) -> StatusCode {
    test.device_post("sensor-1").body(body).send().await.expect("an answer").status()
}

#[tokio::test]
async fn sends_fail_before_or_after_they_are_stored() {
    let test = TestHub::new().await;
    test.hub.faults().fail_sends(2, StatusCode::SERVICE_UNAVAILABLE, FaultPoint::BeforeStored);
    test.hub.faults().fail_sends(1, StatusCode::INTERNAL_SERVER_ERROR, FaultPoint::AfterStored);
    test.hub.faults().fail_sends(0, StatusCode::IM_A_TEAPOT, FaultPoint::AfterStored);
    assert_eq!(status(&test, "a").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status(&test, "b").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(test.hub.accepted(), 0);
    assert_eq!(status(&test, "c").await, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(test.hub.accepted(), 1);
    assert_eq!(status(&test, "d").await, StatusCode::NO_CONTENT);
    assert_eq!(crate::support::texts(&test.all().await), ["c", "d"]);
}

#[tokio::test]
async fn refused_sends_use_up_no_fault() {
    let test = TestHub::new().await;
    test.hub.faults().fail_sends(1, StatusCode::BAD_GATEWAY, FaultPoint::BeforeStored);
    let stranger = test.post("sensor-1").send().await.expect("an answer");
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(status(&test, "a").await, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn faults_without_end_can_be_cleared() {
    let test = TestHub::new().await;
    test.hub.faults().fail_sends(usize::MAX, StatusCode::BAD_GATEWAY, FaultPoint::BeforeStored);
    test.hub.faults().delay_sends(Duration::from_secs(3600));
    test.hub.faults().clear();
    assert_eq!(status(&test, "a").await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn delayed_sends_are_stored_later() {
    let test = TestHub::new().await;
    test.hub.faults().delay_sends(Duration::from_millis(150));
    let start = Instant::now();
    assert_eq!(status(&test, "a").await, StatusCode::NO_CONTENT);
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn reads_fail_on_request() {
    let test = TestHub::new().await;
    test.hub.faults().fail_reads(1, StatusCode::INTERNAL_SERVER_ERROR);
    let url = test.url("/$events/fieldcast/partitions/0");
    let answer = test.http.get(&url).send().await.expect("an answer");
    assert_eq!(refusal(answer).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(test.http.get(&url).send().await.expect("an answer").status(), StatusCode::OK);
}

#[tokio::test]
async fn sends_over_the_rate_are_429_and_told_when_to_come_back() {
    // At one per second, 64 sends at once are over the rate unless they take a minute.
    let test = TestHub::with(HubConfig { sends_per_second: NonZeroU32::new(1), ..config() }).await;
    let mut sends = JoinSet::new();
    for _ in 0..64 {
        sends.spawn(test.device_post("sensor-1").body("x").send());
    }
    let mut refused = 0;
    while let Some(answer) = sends.join_next().await {
        let answer = answer.expect("joined").expect("an answer");
        if answer.status() != StatusCode::NO_CONTENT {
            assert_eq!(answer.headers()["retry-after"], "1");
            let (status, code, _) = refusal(answer).await;
            assert_eq!((status, code.as_str()), (StatusCode::TOO_MANY_REQUESTS, "ThrottlingException"));
            refused += 1;
        }
    }
    assert!(refused > 0);
    assert_eq!(test.hub.accepted(), 64 - refused);
}
