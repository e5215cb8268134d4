//! A service in trouble is left alone: how many requests it gets, whatever it does and however many calls there are. In
//! time that stands still.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fieldcast_signalr::{
    DEFAULT_SETTING, Endpoints, HubClient, Message, Presence, Resend, SendError, Target, Transport,
    TransportError,
};
use futures_util::future::{BoxFuture, join_all};
use http::{Request, Response};
use proptest::prelude::*;
use tokio::time::{Instant, sleep, timeout_at};

use crate::service::{KEY, hub};

/// As long as an announcement may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the service does with requests.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Well,
    Status(u16),
    /// 429 that says for how many seconds.
    Throttled(u64),
    Cut,
    Mute,
    Unreachable,
    /// Takes so many milliseconds.
    Slow(u64),
}

struct Moody {
    mood: Mutex<Mood>,
    requests: AtomicUsize,
}

impl Transport for Moody {
    fn exchange(
        &self,
        _request: Request<Bytes>,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mood = *self.mood.lock().expect("no test panicked in here");
        let answer = async move {
            sleep(Duration::from_millis(10)).await;
            match mood {
                Mood::Well => Ok(status(202)),
                Mood::Status(code) => Ok(status(code)),
                Mood::Throttled(seconds) => {
                    let mut answer = status(429);
                    answer.headers_mut().insert("retry-after", seconds.into());
                    Ok(answer)
                }
                Mood::Cut => Err(TransportError::CutOff("told to".into())),
                Mood::Unreachable => Err(TransportError::NotConnected("told to".into())),
                Mood::Mute => pending().await,
                Mood::Slow(time) => {
                    sleep(Duration::from_millis(time)).await;
                    Ok(status(202))
                }
            }
        };
        Box::pin(async move {
            let late = |_| Err(TransportError::TimedOut("told to".into()));
            timeout_at(deadline, answer).await.unwrap_or_else(late)
        })
    }
}

fn status(code: u16) -> Response<Bytes> {
    Response::builder().status(code).body(Bytes::new()).expect("a good status")
}

impl Moody {
    fn client(mood: Mood, settings: &[&str]) -> (Arc<Moody>, HubClient) {
        let moody = Arc::new(Moody { mood: Mutex::new(mood), requests: AtomicUsize::new(0) });
        let settings = settings
            .iter()
            .enumerate()
            .map(|(number, name)| (*name, format!("Endpoint=https://service-{number};AccessKey={KEY}")));
        let endpoints = Endpoints::from_settings(settings, DEFAULT_SETTING).expect("good settings");
        let client = HubClient::with_transport(Arc::clone(&moody) as _, endpoints, hub());
        (moody, client.with_jitter(|| 0.5))
    }

    fn lone(mood: Mood) -> (Arc<Moody>, HubClient) {
        Moody::client(mood, &[DEFAULT_SETTING])
    }

    fn becomes(&self, mood: Mood) {
        *self.mood.lock().expect("no test panicked in here") = mood;
    }

    /// Requests since the last time.
    fn requests(&self) -> usize {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

async fn send(client: &HubClient, patience: Duration) -> Result<(), SendError> {
    let message = Message::new("t", &[1]).expect("an array");
    client.send(Target::All, &message, Resend::Allowed, patience).await
}

/// So many sends at the same time; how many succeeded.
async fn sends(client: &HubClient, count: usize) -> usize {
    let results = join_all((0..count).map(|_| send(client, PATIENCE))).await;
    results.iter().filter(|result| result.is_ok()).count()
}

fn trouble() -> impl Strategy<Value = Mood> {
    prop_oneof![
        prop::sample::select(vec![401, 403, 404, 408, 429, 500, 502, 503, 504]).prop_map(Mood::Status),
        (0_u64..100).prop_map(Mood::Throttled),
        Just(Mood::Cut),
        Just(Mood::Mute),
        Just(Mood::Unreachable),
    ]
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().expect("a runtime")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_service_in_trouble_gets_one_request_for_all_later_calls_until_it_answers(
        moods in prop::collection::vec(trouble(), 1..6),
        calls in 1_usize..40,
    ) {
        runtime().block_on(async {
            let (service, client) = Moody::lone(moods[0]);
            prop_assert_eq!(sends(&client, calls).await, 0);
            let first = service.requests();
            prop_assert!(first <= calls + 4, "{} requests of {} calls", first, calls);
            for mood in &moods {
                service.becomes(*mood);
                prop_assert_eq!(sends(&client, calls).await, 0);
                let later = service.requests();
                prop_assert!(later <= 1, "{} requests of {} calls", later, calls);
            }
            service.becomes(Mood::Well);
            sleep(Duration::from_secs(100)).await;
            prop_assert_eq!(sends(&client, calls).await, calls);
            prop_assert_eq!(service.requests(), calls);
            Ok(())
        })?;
    }

    #[test]
    fn nothing_is_sent_before_the_service_wants_it(seconds in 1_u64..3_000, calls in 1_usize..20) {
        runtime().block_on(async {
            let (service, client) = Moody::lone(Mood::Throttled(seconds.max(3)));
            sends(&client, calls).await;
            service.requests();
            service.becomes(Mood::Well);
            let until = Instant::now() + Duration::from_secs(seconds.max(3)) - PATIENCE;
            while Instant::now() < until - Duration::from_secs(2) {
                let error = send(&client, PATIENCE).await.expect_err("it rests");
                let asked = matches!(
                    error, SendError::Unavailable { status: Some(429), retry_after: Some(_), .. }
                );
                prop_assert!(asked, "{:?}", error);
                prop_assert!(client.group_exists("g", PATIENCE).await.is_err());
                sleep(Duration::from_secs(1 + seconds / 50)).await;
            }
            prop_assert_eq!(service.requests(), 0);
            sleep(Duration::from_secs(4 + seconds / 50)).await;
            prop_assert_eq!(sends(&client, calls).await, calls);
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_moment_costs_no_call_its_message() {
    for mood in [Mood::Status(503), Mood::Status(500), Mood::Cut] {
        let (service, client) = Moody::lone(mood);
        let calls = sends(&client, 16);
        let better = async {
            sleep(Duration::from_millis(100)).await;
            service.becomes(Mood::Well);
        };
        let (succeeded, ()) = tokio::join!(calls, better);
        assert_eq!(succeeded, 16, "{mood:?}");
        assert!(service.requests() <= 32);
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_without_a_time_rests_for_seconds() {
    let (service, client) = Moody::lone(Mood::Status(429));
    sends(&client, 3).await;
    service.becomes(Mood::Well);
    service.requests();
    sleep(Duration::from_secs(5)).await;
    assert_eq!((sends(&client, 3).await, service.requests()), (0, 0));
    sleep(Duration::from_secs(5)).await;
    assert_eq!(sends(&client, 3).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_speaks_against_no_endpoint() {
    const WEST: &str = "Azure__SignalR__Endpoints__west__primary";
    let (service, client) = Moody::client(Mood::Slow(300), &[DEFAULT_SETTING, WEST]);
    for patience in [0, 1, 100, 200, 299, 0] {
        send(&client, Duration::from_millis(patience)).await.expect_err("no time for an answer");
        assert!(client.endpoints().all(|(_, presence)| presence == Presence::Online), "{patience} ms");
    }
    assert_eq!(service.requests(), 8, "and none is made for which no time is left");
    send(&client, PATIENCE).await.expect("an answer after 300 ms");

    service.becomes(Mood::Mute);
    for _ in 0..2 {
        send(&client, PATIENCE).await.expect_err("nobody answers");
    }
    assert!(client.endpoints().all(|(_, presence)| presence == Presence::Offline), "that is silence");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_tries_leaves_the_turn_to_others() {
    let (service, client) = Moody::lone(Mood::Mute);
    send(&client, PATIENCE).await.expect_err("nobody answers");
    let dropped = tokio::time::timeout(Duration::from_millis(50), send(&client, PATIENCE)).await;
    assert!(dropped.is_err());
    service.becomes(Mood::Well);
    send(&client, PATIENCE).await.expect("an answer");
}
