//! Rows that cannot be read are damage, for those who count as for those who look.

use std::time::Duration;

use fieldcast_tables::MemoryStore;

use super::*;

async fn rows(stored: impl IntoIterator<Item = Entity>) -> DeviceRows {
    let store = Arc::new(Store::new(Arc::new(MemoryStore::new()), Shards::new("Sydney", 1)));
    let table = store.table(tables::DEVICE_STATE, soon()).await.unwrap();
    for row in stored {
        table.insert(&row, Deadline::at(soon())).await.unwrap();
    }
    DeviceRows::new(store, Arc::new(Catalogue::environment()))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn device(name: &str) -> DeviceId {
    DeviceId::parse(name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_scan_finds_what_can_be_read_and_names_what_cannot() {
    let count =
        |name: &str, count: &str| Entity::new("Sydney", name).with("Count", count).with("Schema", "1");
    let rows =
        rows([count("good", "3"), count("bad", "three"), count("bad\u{2028}key".repeat(40).as_str(), "3")])
            .await;
    let page = rows.scan(Shard(0), None, None, soon()).await.unwrap();
    assert_eq!(
        page.states.iter().map(|state| (state.device.as_str(), state.count)).collect::<Vec<_>>(),
        [("good", 3)]
    );
    let problem =
        "the column Count of this device's row cannot be read; nothing is counted until it is repaired";
    assert_eq!(page.damaged, [(device("bad"), problem.to_owned())]);
    let loaded = rows.load(Shard(0), &[device("bad"), device("good")], soon()).await.unwrap();
    assert_eq!(loaded[0], Loaded::Damaged("column Count: it is not a whole number".to_owned()));
    assert!(matches!(&loaded[1], Loaded::Found(stored) if stored.state.count == 3));
}

/// The row has its types again after the next write, whatever a tool made of them.
#[tokio::test(start_paused = true)]
async fn a_row_of_text_is_counted_on() {
    let rows = rows([]).await;
    let mut state = DeviceState::new(device("str-1"), &rows.catalogue);
    (state.count, state.version) = (3, 3);
    let write = |state: &DeviceState, expect| [Write { state: state.clone(), expect }];
    rows.commit(Shard(0), &write(&state, Expect::Absent), soon()).await.unwrap();
    let table = rows.table(soon()).await.unwrap();
    let stored = table.get("Sydney", "str-1", Deadline::at(soon())).await.unwrap().unwrap();
    let mut text = Entity::new("Sydney", "str-1").with("Geo", "Perth WA");
    for (name, value) in stored.entity.properties() {
        let shown = match value {
            Value::Binary(bytes) => base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes),
            other => {
                other.as_i64().map_or_else(|| other.as_str().unwrap().to_owned(), |number| number.to_string())
            }
        };
        text.set(name, shown);
    }
    table.transact(vec![Operation::Replace(text, stored.etag)], Deadline::at(soon())).await.unwrap();

    let Loaded::Found(found) = rows.load(Shard(0), &[device("str-1")], soon()).await.unwrap().remove(0)
    else {
        panic!("it can be read")
    };
    assert_eq!((found.state.count, found.state.version), (3, 3));
    assert_eq!(found.state.geo.as_ref().unwrap().value, "Perth WA");
    let mut next = found.state.clone();
    (next.count, next.version) = (4, 4);
    rows.commit(Shard(0), &write(&next, Expect::At(found.revision)), soon()).await.unwrap();
    let row = table.get("Sydney", "str-1", Deadline::at(soon())).await.unwrap().unwrap().entity;
    assert_eq!((row.get("Count"), row.get("Schema")), (Some(&Value::Int64(4)), Some(&Value::Int64(3))));
    assert!(matches!(row.get("Ledger"), Some(Value::Binary(_))));
}
