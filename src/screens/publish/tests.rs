//! What an announcement costs the service, whatever the service does. In time that stands still.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request, Response};
use fieldcast_signalr::{Endpoint, HubClient, HubName, Transport, TransportError};
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use tokio::time::{Instant, sleep, timeout_at};

use super::sending::{MOST_MESSAGES, MOST_UNCERTAIN};
use super::*;

/// Calls at once, of each of the two kinds of groups, and the tries that one call makes for all.
const IN_FLIGHT: usize = 32;
const TRIES: usize = 5;

/// What the service does with calls of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    /// Takes messages; every group has members.
    Well,
    /// Takes messages; no group has members.
    Empty,
    Status(u16),
    Throttled(u64),
    Cut,
    Mute,
    Slow(u64),
}

#[derive(Clone, Copy, Debug)]
struct Moods {
    questions: Mood,
    messages: Mood,
}

struct Service {
    moods: Mutex<Moods>,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    questions: usize,
    /// Messages, by path.
    messages: BTreeMap<String, usize>,
}

impl Calls {
    fn messages(&self) -> usize {
        self.messages.values().sum()
    }

    fn about_devices(&self) -> usize {
        self.messages.keys().filter(|path| path.contains("/device%3A")).count()
    }
}

impl Transport for Service {
    fn exchange(
        &self,
        request: Request<Bytes>,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let moods = *lock(&self.moods);
        let is_question = request.method() == Method::HEAD;
        let mood = if is_question { moods.questions } else { moods.messages };
        match is_question {
            true => lock(&self.calls).questions += 1,
            false => *lock(&self.calls).messages.entry(request.uri().path().to_owned()).or_default() += 1,
        }
        Box::pin(async move {
            let late = |_| Err(TransportError::TimedOut("told to".into()));
            timeout_at(deadline, answer(mood, is_question)).await.unwrap_or_else(late)
        })
    }
}

async fn answer(mood: Mood, is_question: bool) -> Result<Response<Bytes>, TransportError> {
    let answer = |status: u16| Response::builder().status(status);
    sleep(Duration::from_millis(5)).await;
    let answer = match mood {
        Mood::Empty if is_question => answer(404).header("x-ms-error-code", "Warning.Group.NotExisted"),
        Mood::Well | Mood::Empty => answer(202),
        Mood::Status(status) => answer(status),
        Mood::Throttled(seconds) => answer(429).header("retry-after", seconds),
        Mood::Cut => return Err(TransportError::CutOff("told to".into())),
        Mood::Mute => pending().await,
        Mood::Slow(time) => {
            sleep(Duration::from_millis(time)).await;
            answer(202)
        }
    };
    Ok(answer.body(Bytes::new()).unwrap())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A service and who publishes there.
struct Stage {
    service: Arc<Service>,
    publisher: SignalRPublisher,
}

impl Stage {
    fn new(questions: Mood, messages: Mood) -> Stage {
        let service =
            Arc::new(Service { moods: Mutex::new(Moods { questions, messages }), calls: Mutex::default() });
        let endpoint = Endpoint::parse("Endpoint=https://h;AccessKey=c2xvd3Nsb3c=").unwrap();
        let name = HubName::new("enviromon").unwrap();
        let hub = HubClient::with_transport(Arc::clone(&service) as _, endpoint.into(), name);
        let hub = hub.with_jitter(|| 0.5);
        let occupancy = Arc::new(GroupOccupancy::new(hub.clone()));
        Stage { service, publisher: SignalRPublisher::new(hub, PublishMode::Groups, occupancy) }
    }

    fn becomes(&self, questions: Mood, messages: Mood) {
        *lock(&self.service.moods) = Moods { questions, messages };
    }

    /// Announces a batch; how it went, and what it cost.
    async fn publish(&self, changes: &[Change]) -> (Result<(), PublishError>, Calls) {
        let begun = Instant::now();
        let result = self.publisher.publish(Audience::Watchers, changes, PUSH_PATIENCE).await;
        assert!(begun.elapsed() <= PUSH_PATIENCE + Duration::from_millis(10), "{:?}", begun.elapsed());
        (result, std::mem::take(&mut lock(&self.service.calls)))
    }
}

/// So many devices, in so many areas.
fn batch(devices: usize, areas: usize) -> Vec<Change> {
    let device = |number: usize| DeviceId::parse(&format!("d{number}")).unwrap();
    let change = |number: usize| Change {
        source: device(number),
        device: device(number),
        area: Some(format!("area {}", number % areas)),
        left: None,
        state: b"{}".to_vec(),
    };
    (0..devices).map(change).collect()
}

fn trouble() -> impl Strategy<Value = Mood> {
    prop_oneof![
        prop::sample::select(vec![401, 408, 429, 500, 502, 503, 504]).prop_map(Mood::Status),
        (0_u64..100).prop_map(Mood::Throttled),
        Just(Mood::Cut),
        Just(Mood::Mute),
        (3_000_u64..9_000).prop_map(Mood::Slow),
    ]
}

fn any_mood() -> impl Strategy<Value = Mood> {
    prop_oneof![trouble(), Just(Mood::Well), Just(Mood::Empty), (0_u64..3_000).prop_map(Mood::Slow)]
}

fn paused<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_batch_costs_a_bounded_number_of_calls_whatever_the_service_does(
        moods in prop::collection::vec((any_mood(), any_mood()), 1..6),
        devices in 1_usize..1_500, areas in 1_usize..300,
    ) {
        paused(async {
            let stage = Stage::new(moods[0].0, moods[0].1);
            let changes = batch(devices, areas);
            for (questions, messages) in moods {
                stage.becomes(questions, messages);
                let (_, calls) = stage.publish(&changes).await;
                prop_assert!(calls.messages() <= MOST_MESSAGES + TRIES, "{:?}", calls);
                prop_assert!(calls.questions <= 3_000, "{:?}", calls);
                sleep(Duration::from_secs(2)).await;
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_service_that_takes_no_messages_is_tried_by_one_call_a_batch(
        questions in any_mood(), messages in trouble(), devices in 1_usize..600,
    ) {
        paused(async {
            let stage = Stage::new(questions, messages);
            let changes = batch(devices, 20);
            let (result, first) = stage.publish(&changes).await;
            let nobody_is_there = questions == Mood::Empty;
            prop_assert_eq!(result.is_ok(), nobody_is_there, "{:?}", result);
            prop_assert!(first.messages() <= IN_FLIGHT + TRIES, "{:?}", first);
            for _ in 0..5 {
                sleep(Duration::from_secs(1)).await;
                let (_, later) = stage.publish(&changes).await;
                // Where the service was not even asked whether there are members, its mood is not known yet.
                let known = if first.messages() == 0 { IN_FLIGHT + TRIES } else { 1 };
                prop_assert!(later.messages() <= known, "{:?} after {:?}", later, first);
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_device_is_sent_to_because_a_question_was_not_answered(
        questions in trouble(), devices in 1_usize..1_500, areas in 1_usize..300,
    ) {
        paused(async {
            let stage = Stage::new(questions, Mood::Well);
            for _ in 0..3 {
                let (result, calls) = stage.publish(&batch(devices, areas)).await;
                prop_assert_eq!(calls.about_devices(), 0, "{:?}", calls);
                prop_assert!(calls.messages() <= 1 + 2 * MOST_UNCERTAIN, "{:?}", calls);
                prop_assert!(calls.questions <= IN_FLIGHT + 2 * TRIES, "{:?}", calls);
                prop_assert!(result.is_err() || devices <= MOST_UNCERTAIN || areas <= MOST_UNCERTAIN);
            }
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn after_too_many_requests_there_is_not_one_until_the_time_is_over() {
    for (questions, messages) in [(Mood::Throttled(60), Mood::Well), (Mood::Well, Mood::Throttled(60))] {
        let stage = Stage::new(questions, messages);
        let changes = batch(100, 10);
        stage.publish(&changes).await.0.expect_err("429");
        stage.becomes(Mood::Well, Mood::Well);
        for _ in 0..5 {
            sleep(Duration::from_secs(8)).await;
            let (result, calls) = stage.publish(&changes).await;
            assert!(result.unwrap_err().0.contains("429"));
            assert_eq!((calls.questions, calls.messages()), (0, 0));
        }
        sleep(Duration::from_secs(20)).await;
        let (_, calls) = stage.publish(&changes).await;
        assert_eq!(calls.messages(), MOST_MESSAGES, "the service is well again");
    }
}

#[tokio::test(start_paused = true)]
async fn more_groups_than_messages_take_turns_and_what_is_left_out_is_said() {
    let stage = Stage::new(Mood::Well, Mood::Well);
    let changes = batch(150, 10);
    let mut reached = BTreeMap::new();
    for _ in 0..4 {
        let (result, calls) = stage.publish(&changes).await;
        assert_eq!(result.unwrap_err().0, format!("61 messages were left out, a batch has {MOST_MESSAGES}"));
        assert!(calls.messages.contains_key("/api/hubs/enviromon/groups/all/:send"));
        reached.extend(calls.messages);
    }
    assert_eq!(reached.len(), 161);
}

#[tokio::test(start_paused = true)]
async fn a_few_lost_answers_cost_nobody_a_message() {
    let stage = Stage::new(Mood::Mute, Mood::Well);
    let (result, calls) = stage.publish(&batch(3, 2)).await;
    assert_eq!(result, Ok(()));
    let paths: Vec<&str> =
        calls.messages.keys().map(|path| &path["/api/hubs/enviromon/groups/".len()..]).collect();
    assert_eq!(paths.len(), 6, "{paths:?}");
    assert_eq!(paths.iter().filter(|path| path.starts_with("devices%3A")).count(), 3, "{paths:?}");
}

#[tokio::test(start_paused = true)]
async fn questions_pause_longer_each_time_until_there_is_an_answer() {
    let stage = Stage::new(Mood::Mute, Mood::Well);
    let mut asked = Vec::new();
    for second in 0..40 {
        if stage.publish(&batch(100, 10)).await.1.questions > 0 {
            asked.push(second);
        }
        sleep(Duration::from_millis(500)).await;
    }
    assert!(asked.len() <= 6, "{asked:?}");
    stage.becomes(Mood::Empty, Mood::Well);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(stage.publish(&batch(100, 10)).await.0, Ok(()));
    stage.becomes(Mood::Mute, Mood::Well);
    sleep(SETTLES_AFTER).await;
    stage.publish(&batch(100, 10)).await.0.expect_err("no answers");
    sleep(Duration::from_millis(1_100)).await;
    assert!(stage.publish(&batch(100, 10)).await.1.questions > 0, "the first pause is short again");
}
