//! Snapshots of fleets in memory: what they cost, and what becomes of those that do not come to their end.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, to_bytes};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fieldcast_tables::{
    Call as StoreCall, Deadline, EmbeddedStore, Entity, Fault, Faulty, MemoryStore, Recorded, Rule, Table,
    TableName, TableStore,
};
use futures_util::StreamExt;
use futures_util::future::join;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::wanted::{Continuation, Cursor, Next, Place};
use super::*;
use crate::devices::rows::{Expect, Write};
use crate::devices::state::{DeviceState, Latest, Stamp};
use crate::primitives::ids::{DeviceId, HubPartition};
use crate::primitives::instant::Millis;
use crate::screens::publish::RecordedPublisher;
use crate::store::Store;
use crate::store::shard::{Shard, Shards};
use crate::telemetry::catalogue::Catalogue;

struct World {
    snapshots: Snapshots,
    devices: Arc<DeviceRows>,
    publisher: Arc<RecordedPublisher>,
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

impl World {
    fn on(rows: Arc<dyn TableStore>) -> World {
        World::with(rows, 1, Broadcast::Refused)
    }

    fn with(rows: Arc<dyn TableStore>, shards: u16, broadcast: Broadcast) -> World {
        let store = Arc::new(Store::new(rows, Shards::new("Sydney", shards)));
        let devices = Arc::new(DeviceRows::new(store, Arc::new(Catalogue::environment())));
        let publisher = Arc::new(RecordedPublisher::new());
        let watched = Arc::clone(&publisher) as Arc<dyn Publisher>;
        let snapshots = Snapshots::new(Arc::clone(&devices), watched, broadcast);
        World { snapshots, devices, publisher }
    }

    /// Devices of an area, one of them with each of these ids.
    async fn know(&self, ids: impl IntoIterator<Item = String>, geo: &str) {
        let ids: Vec<String> = ids.into_iter().collect();
        for shard in self.devices.shards().all() {
            let device = |id: &String| DeviceId::parse(id).unwrap();
            let of_shard: Vec<_> = ids.iter().map(device).filter(|id| self.shard(id) == shard).collect();
            for some in of_shard.chunks(100) {
                let writes: Vec<Write> = some.iter().map(|id| written(id.clone(), geo)).collect();
                self.devices.commit(shard, &writes, soon()).await.unwrap();
            }
        }
    }

    fn shard(&self, device: &DeviceId) -> Shard {
        self.devices.shards().of(device)
    }

    async fn get(&self, query: &str) -> Response {
        self.call(Method::GET, Calls::Forwarded, query, "").await
    }

    async fn post(&self, body: &str) -> Response {
        self.call(Method::POST, Calls::Forwarded, "", body).await
    }

    async fn call(&self, method: Method, form: Calls, query: &str, body: &str) -> Response {
        let call = Call {
            form,
            method,
            query: query.to_owned(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            parameters: crate::host::routes::Parameters::default(),
            if_none_match: None,
            user: None,
        };
        self.snapshots.answer(&call).await.into_response()
    }

    /// All parts of what a query asks for.
    async fn parts(&self, form: Calls, query: &str) -> Vec<Value> {
        let mut parts: Vec<Value> = Vec::new();
        loop {
            let continuation = parts.last().map(|part| part["continuation"].as_str().unwrap());
            let continuation = continuation.map(|text| format!("&continuation={text}")).unwrap_or_default();
            let query = format!("{query}{continuation}");
            let part = json_of(self.call(Method::GET, form, &query, "").await).await;
            let is_last = part.get("continuation").is_none();
            parts.push(part);
            if is_last {
                return parts;
            }
        }
    }
}

fn written(device: DeviceId, geo: &str) -> Write {
    let mut state = DeviceState::new(device, &Catalogue::environment());
    let stamp = Stamp { at: Millis(1_795_230_000_123), partition: HubPartition::new("hub", "0") };
    state.geo = Some(Latest { value: geo.to_owned(), stamp: stamp.clone() });
    state.reported = Some(stamp);
    (state.count, state.version) = (1, 1);
    Write { state, expect: Expect::Absent }
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("device-{number:05}"))
}

async fn json_of(response: Response) -> Value {
    assert_eq!(response.status(), StatusCode::OK);
    serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
}

async fn error_of(response: Response) -> (u16, String, Option<String>) {
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body: Value =
        serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap();
    assert!(body["error"].as_str().unwrap().len() > 10, "{body}");
    (status, body["code"].as_str().unwrap().to_owned(), retry_after)
}

fn ids<'a>(parts: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let devices = parts.into_iter().flat_map(|part| part["devices"].as_array().unwrap());
    devices.map(|device| device["deviceId"].as_str().unwrap().to_owned()).collect()
}

fn stream_of(response: Response) -> BodyDataStream {
    Body::into_data_stream(response.into_body())
}

#[tokio::test]
async fn a_fleet_comes_whole_in_small_pieces() {
    let world = World::on(Arc::new(MemoryStore::new()));
    world.know(numbered(1_500), "Sydney").await;
    let mut pieces = stream_of(world.get("").await);
    let (mut text, mut largest) = (Vec::new(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece.unwrap();
        largest = largest.max(piece.len());
        text.extend_from_slice(&piece);
    }
    let whole: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(ids([&whole]), numbered(1_500).collect::<Vec<_>>());
    assert_eq!(whole.get("continuation"), None);
    assert!(largest < 2 * PIECE, "{largest}");
}

/// Half an answer that ends well would be taken for a whole fleet.
#[tokio::test]
async fn an_answer_that_cannot_be_read_on_is_cut_off() {
    let rows = Arc::new(Faulty::new(Arc::new(MemoryStore::new())));
    let world = World::on(Arc::clone(&rows) as Arc<dyn TableStore>);
    world.know(numbered(1_500), "Sydney").await;
    let mut pieces = stream_of(world.get("").await);
    rows.fail(Rule::next(Fault::Busy).of(StoreCall::Query).times(9));
    let mut last = pieces.next().await.unwrap();
    while let Some(piece) = pieces.next().await {
        assert!(last.is_ok());
        last = piece;
    }
    last.unwrap_err();
}

#[tokio::test]
async fn what_cannot_be_read_at_all_is_an_error_with_a_status() {
    let rows = Arc::new(Faulty::new(Arc::new(MemoryStore::new())));
    let world = World::on(Arc::clone(&rows) as Arc<dyn TableStore>);
    world.know(numbered(3), "Sydney").await;
    rows.fail(Rule::next(Fault::Busy).of(StoreCall::Query).times(9));
    let (status, code, _) = error_of(world.get("").await).await;
    assert_eq!((status, code.as_str()), (503, "store_unavailable"));
}

/// Others get a turn between any two small pieces of work, so no batch waits for a page.
#[tokio::test]
async fn making_a_snapshot_gives_way() {
    let world = World::on(Arc::new(MemoryStore::new()));
    world.know(numbered(1_500), "Sydney").await;
    let done = std::cell::Cell::new(false);
    let (_, turns) = join(
        async {
            let bounds = Bounds::OneAnswer;
            let reading = Reading::new(Arc::clone(&world.devices), Wanted::everything(), bounds);
            Part::new(&world.devices, reading).fill(usize::MAX).await.unwrap();
            done.set(true);
        },
        async {
            let mut turns = 0;
            while !done.get() {
                yield_now().await;
                turns += 1;
            }
            turns
        },
    )
    .await;
    // A page of a thousand rows is decoded in eight turns and rendered in eight, one of five hundred in four each.
    assert!(turns >= 20, "{turns}");
}

/// Somebody who does not read what was asked for keeps nobody from anything.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_less_and_no_turn_is_lost() {
    let world = World::on(Arc::new(MemoryStore::new()));
    world.know(numbered(2_500), "Sydney").await;
    let mut slow = Vec::new();
    for _ in 0..5 {
        slow.push(stream_of(world.get("").await));
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    for mut pieces in slow {
        let mut text = Vec::new();
        while let Some(piece) = pieces.next().await {
            text.extend_from_slice(&piece.unwrap());
        }
        let part: Value = serde_json::from_slice(&text).unwrap();
        let query = format!("continuation={}", part["continuation"].as_str().unwrap());
        let rest = world.parts(Calls::Forwarded, &query).await;
        let all: BTreeSet<String> = ids(std::iter::once(&part).chain(&rest)).into_iter().collect();
        assert_eq!(all.len(), 2_500);
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_at_all_is_given_up() {
    let world = World::on(Arc::new(MemoryStore::new()));
    world.know(numbered(1_500), "Sydney").await;
    let mut pieces = stream_of(world.get("").await);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut last = pieces.next().await.unwrap();
    while let Some(piece) = pieces.next().await {
        last = piece;
    }
    last.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn too_many_at_once_are_told_to_come_again() {
    let world = World::on(Arc::new(MemoryStore::new()));
    world.know(numbered(1_500), "Sydney").await;
    let answers = futures_util::future::join_all((0..50).map(|_| world.get(""))).await;
    let (made, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status() == StatusCode::OK);
    assert!(made.len() >= 4 && refused.len() >= 10, "{} and {}", made.len(), refused.len());
    for answer in refused {
        let refused = (429, "too_many_snapshots".to_owned(), Some("2".to_owned()));
        assert_eq!(error_of(answer).await, refused);
    }
    drop(made);
    assert_eq!(world.get("").await.status(), StatusCode::OK, "whoever hangs up frees a turn");
}

/// Whatever a question finds, its answer is short, and its continuations come to an end.
#[tokio::test]
async fn a_rare_area_is_found_in_short_answers() {
    let rows = Arc::new(Recorded::new(Arc::new(MemoryStore::new().with_page_size(2))));
    let world = World::on(Arc::clone(&rows) as Arc<dyn TableStore>);
    world.know(numbered(1_000), "Sydney").await;
    world.know(["device-99999".to_owned()], "rare").await;
    rows.take();
    let first = json_of(world.get("geo=rare").await).await;
    assert!(rows.count(StoreCall::Query) <= 128, "{} pages", rows.count(StoreCall::Query));
    assert_eq!(first["devices"], json!([]));
    assert!(first["continuation"].is_string(), "{first}");
    let parts = world.parts(Calls::Forwarded, "geo=rare").await;
    assert!(parts.len() > 2);
    assert_eq!(ids(&parts), ["device-99999"]);
    assert!(parts.iter().all(|part| part["cursor"] == parts[0]["cursor"]));
}

#[tokio::test]
async fn a_named_device_is_looked_up_and_not_looked_for() {
    let rows = Arc::new(Recorded::new(Arc::new(MemoryStore::new().with_page_size(10))));
    let world = World::with(Arc::clone(&rows) as Arc<dyn TableStore>, 7, Broadcast::Refused);
    world.know(numbered(500), "Sydney").await;
    for query in ["deviceId=device-00321", "deviceId=device-00321&deviceId=nobody"] {
        rows.take();
        assert_eq!(ids(&world.parts(Calls::Forwarded, query).await), ["device-00321"]);
        let names = query.matches('=').count();
        assert_eq!((rows.count(StoreCall::Get), rows.count(StoreCall::Query)), (names, names), "{query}");
    }
    let many: String = numbered(300).map(|id| format!("&deviceId={id}")).collect();
    let parts = world.parts(Calls::Forwarded, &many[1..]).await;
    assert_eq!(ids(&parts), numbered(300).collect::<Vec<_>>());
    assert!(parts.len() > 1, "an answer is a bounded number of questions to the store");
}

/// On each store, only what changed since is told of a device that is looked up.
#[tokio::test]
async fn a_named_device_that_did_not_change_is_not_told_again() {
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn TableStore>; 2] =
        [Arc::new(MemoryStore::new()), Arc::new(EmbeddedStore::new(folder.path()))];
    for rows in stores {
        let world = World::on(rows);
        world.know(numbered(5), "Sydney").await;
        let cursor = json_of(world.get("").await).await["cursor"].as_str().unwrap().to_owned();
        world.know(["device-00009".to_owned()], "Sydney").await;
        let query = format!("deviceId=device-00001&deviceId=device-00009&since={cursor}");
        assert_eq!(ids(&world.parts(Calls::Forwarded, &query).await), ["device-00009"]);
    }
}

/// Its modules and components have rows of their own, with keys that begin with its id and a bar.
#[tokio::test]
async fn a_device_whose_row_cannot_be_read_is_shown_with_its_problem() {
    let rows: Arc<dyn TableStore> = Arc::new(MemoryStore::new());
    let world = World::on(Arc::clone(&rows));
    world.know(["d".to_owned()], "Sydney").await;
    let table = Table::new(rows, TableName::new("DeviceState").unwrap());
    for (name, count) in [("a", "1"), ("b", "secret"), ("c", "3")] {
        let row = Entity::new("Sydney", name).with("Count", count).with("Schema", 1_i32);
        table.insert(&row, Deadline::at(soon())).await.unwrap();
    }
    let problem =
        "the column Count of this device's row cannot be read; nothing is counted until it is repaired";
    for query in ["", "deviceId=b,a", "geo=Sydney"] {
        let snapshot = json_of(world.get(query).await).await;
        let devices = snapshot["devices"].as_array().unwrap();
        let broken = devices.iter().find(|device| device["deviceId"] == "b").unwrap();
        assert_eq!((&broken["problem"], &broken["count"]), (&json!(problem), &Value::Null), "{query}");
        let sound = devices.iter().filter(|device| device.get("problem").is_none()).count();
        assert_eq!(sound, devices.len() - 1, "{query}");
    }
    assert_eq!(json_of(world.post(r#"{"connectionId":"c"}"#).await).await, json!({ "sent": 4 }));
}

#[tokio::test]
async fn a_device_is_found_with_its_parts_and_without_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn TableStore>; 2] =
        [Arc::new(MemoryStore::new().with_page_size(1)), Arc::new(EmbeddedStore::new(folder.path()))];
    for rows in stores {
        let world = World::on(rows);
        let keys = ["a", "a-1", "a|", "a|m|", "a|m|c", "a||c", "a}", "ab", "A"];
        let writes = keys.map(|key| written(DeviceId::of_key(key).unwrap(), "Sydney"));
        world.devices.commit(Shard(0), &writes, soon()).await.unwrap();
        let page = world.devices.scan_device(&DeviceId::parse("a").unwrap(), None, soon()).await.unwrap();
        let mut found: Vec<_> = page.states.iter().map(|state| state.device.as_str()).collect();
        found.sort_unstable();
        assert_eq!((found, page.next), (vec!["a", "a|", "a|m|", "a|m|c", "a||c"], None));
    }
}

/// An answer in an envelope is one text in memory, so it has a size.
#[tokio::test]
async fn a_wrapped_call_gets_a_large_fleet_in_parts() {
    let world = World::on(Arc::new(MemoryStore::new()));
    world.know(numbered(6_000), "Sydney").await;
    let parts = world.parts(Calls::Wrapped, "").await;
    assert!(parts.len() > 1);
    assert!(parts.iter().all(|part| part.to_string().len() < 2 * LARGEST_WRAPPED));
    assert_eq!(ids(&parts), numbered(6_000).collect::<Vec<_>>());
}

/// The cursor moves on with everything that is written, and on Azure with the clock.
#[tokio::test]
async fn the_etag_stays_while_the_cursor_moves() {
    let rows: Arc<dyn TableStore> = Arc::new(MemoryStore::new());
    let world = World::on(Arc::clone(&rows));
    world.know(numbered(3), "Sydney").await;
    let etag_and_cursor = async |query: &str| {
        let answer = world.get(query).await;
        let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
        (etag, json_of(answer).await["cursor"].clone())
    };
    let before = etag_and_cursor("").await;
    let other = Table::new(rows, TableName::new("Other").unwrap());
    let deadline = Deadline::at(soon());
    other.create(deadline).await.unwrap();
    other.insert(&Entity::new("p", "r"), deadline).await.unwrap();
    let after = etag_and_cursor("").await;
    assert_eq!(before.0, after.0, "nothing that is shown has changed");
    assert_ne!(before.1, after.1, "the clock did not move, so this shows nothing");
    world.know(["device-00003".to_owned()], "Sydney").await;
    assert_ne!(etag_and_cursor("").await.0, after.0);
    let answers = [etag_and_cursor("geo=Sydney").await.0, etag_and_cursor("geo=Perth").await.0];
    assert_ne!(answers[0], answers[1]);
}

/// Neither half of a fleet nor a large one is worth keeping: it has changed before it is asked for again.
#[tokio::test]
async fn what_is_sent_in_parts_or_pieces_has_no_etag() {
    let world = World::on(Arc::new(MemoryStore::new().with_page_size(10)));
    world.know(numbered(1_000), "Sydney").await;
    for query in ["", "limit=20"] {
        assert_eq!(world.get(query).await.headers().get("etag"), None, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_posted_snapshot_needs_a_receiver() {
    let world = World::on(Arc::new(MemoryStore::new()));
    world.know(numbered(3), "Sydney").await;
    for body in ["", "  ", "{}", "null", r#"{"connectionId":null}"#] {
        let answer = error_of(world.post(body).await).await;
        assert_eq!(answer.0, 400, "{body}: {answer:?}");
    }
    assert!(world.publisher.announced().is_empty());
    assert_eq!(json_of(world.post(r#"{"connectionId":"c"}"#).await).await, json!({ "sent": 3 }));
}

#[tokio::test(start_paused = true)]
async fn everybody_is_sent_a_snapshot_only_once_in_a_while() {
    let world = World::with(Arc::new(MemoryStore::new()), 1, Broadcast::Allowed);
    world.know(numbered(3), "Sydney").await;
    for _ in 0..3 {
        assert_eq!(json_of(world.post("").await).await, json!({ "sent": 3 }));
        let refused = (429, "broadcast_too_often".to_owned(), Some("10".to_owned()));
        assert_eq!(error_of(world.post("").await).await, refused);
        assert_eq!(json_of(world.post(r#"{"userId":"alice"}"#).await).await, json!({ "sent": 3 }));
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(world.publisher.announced().len(), 6);
}

#[tokio::test]
async fn a_fleet_is_posted_in_parts() {
    let world = World::with(Arc::new(MemoryStore::new()), 3, Broadcast::Refused);
    world.know(numbered(2_500), "Sydney").await;
    assert_eq!(json_of(world.post(r#"{"userId":"alice"}"#).await).await, json!({ "sent": 2_500 }));
    let sizes: Vec<usize> = world.publisher.announced().iter().map(|one| one.states.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 2_500);
    assert!(sizes.iter().all(|size| *size < 2_000), "{sizes:?}");
    world.publisher.fail_next(1);
    let failed = error_of(world.post(r#"{"userId":"alice"}"#).await).await;
    assert_eq!(failed, (502, "push_failed".to_owned(), None));
}

/// Texts as forgers write them: of the stores' forms, with odd numbers in them, and anything else.
fn forged_text(id: &str) -> impl Strategy<Value = String> + use<> {
    let (row, change) = (format!("{id}.row "), format!("{id}.change "));
    let number = || prop_oneof![Just(0), Just(u64::MAX), Just(u64::MAX - 1), 0_u64..9, any::<u64>()];
    let moment = format!("{id}.");
    prop_oneof![
        ".{0,20}",
        "\\PC{0,8}\n\\PC{0,8}".prop_map(move |keys| format!("{row}{keys}")),
        number().prop_map(move |number| format!("{change}{number}")),
        number().prop_map(move |number| format!("{moment}{number}")),
        number().prop_map(|number| format!("azure {number}")),
    ]
}

fn forged_place(id: &str) -> impl Strategy<Value = Place> + use<> {
    let after = prop::option::of(forged_text(id));
    let after = after.prop_map(|text| text.map(fieldcast_tables::Continuation::from_text));
    let shard = prop_oneof![0_u16..4, Just(u16::MAX), any::<u16>()];
    let named = prop_oneof![0_usize..4, Just(usize::MAX), any::<usize>()];
    let next = prop_oneof![
        (shard, after).prop_map(|(shard, after)| Next::Page(shard, after)),
        named.prop_map(Next::Named)
    ];
    let cursor = forged_text(id).prop_map(|text| Cursor(fieldcast_tables::Moment::from_text(text)));
    (next, cursor).prop_map(|(next, cursor)| Place { next, cursor: Some(cursor) })
}

/// What somebody can write who knows the form of continuations and cursors and gives them a right checksum.
fn forged_query(id: &str) -> impl Strategy<Value = String> + use<> {
    let filter =
        prop::sample::select(vec!["", "&geo=Sydney", "&deviceId=device-00001", "&deviceId=a&geo=Perth"]);
    let since = prop::option::of(forged_text(id));
    (filter, since, prop::option::of(forged_place(id))).prop_map(|(filter, since, place)| {
        let since = since.map(|text| Cursor(fieldcast_tables::Moment::from_text(text)).to_text());
        let since = since.map(|text| format!("&since={text}")).unwrap_or_default();
        let query = format!("limit=3{filter}{since}");
        let wanted = Wanted::parse(&query).unwrap();
        let continuation = place.map(|place| Continuation::new(&wanted, place).to_text());
        let continuation = continuation.map(|text| format!("&continuation={text}")).unwrap_or_default();
        format!("{query}{continuation}")
    })
}

/// The number that the store writes into its texts.
async fn id_of(world: &World) -> String {
    let page = world.devices.scan(Shard(0), None, None, soon()).await.unwrap();
    page.as_of.as_str().split_once('.').unwrap().0.to_owned()
}

/// Every forged question is answered or refused, and none takes more than a few pages.
#[test]
fn a_forged_continuation_is_answered_or_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn TableStore>; 2] =
        [Arc::new(MemoryStore::new().with_page_size(2)), Arc::new(EmbeddedStore::new(folder.path()))];
    for rows in stores {
        let world = World::with(rows, 2, Broadcast::Refused);
        runtime.block_on(world.know(numbered(9), "Sydney"));
        let id = runtime.block_on(id_of(&world));
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let outcome = runner.run(&forged_query(&id), |query| {
            let answer = runtime.block_on(world.get(&query));
            let status = answer.status();
            prop_assert!(status == StatusCode::OK || status == StatusCode::BAD_REQUEST, "{query}: {status}");
            Ok(())
        });
        outcome.unwrap();
    }
}
