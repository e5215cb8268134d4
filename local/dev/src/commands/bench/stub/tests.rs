//! The canned services with the client that production uses.

use std::{sync::Arc, time::Duration};

use fieldcast_tables::{AzureTables, ConnectionString, Deadline, Entity, Operation, Query, Table, TableName};

use super::*;
use crate::device;

fn devices(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("sensor-{number}")).collect()
}

fn table(stub: &Tables, name: &str) -> Table {
    let connection =
        format!("AccountName=stub;AccountKey=c3R1Yg==;TableEndpoint=http://127.0.0.1:{}/stub;", stub.port());
    let connection = ConnectionString::parse(&connection).unwrap();
    let tables = Arc::new(AzureTables::new(connection, device::http_client().unwrap()));
    Table::new(tables, TableName::new(name).unwrap())
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

async fn stub(count: usize, delay: Duration) -> Result<Tables> {
    Tables::start("Sydney", &devices(count), Delay::new(delay)?).await
}

#[tokio::test]
async fn a_transaction_is_answered_with_as_many_fresh_etags() -> Result<()> {
    let stub = stub(0, Duration::ZERO).await?;
    let states = table(&stub, "DeviceState");
    let insert = |number: usize| Operation::Insert(Entity::new("Sydney", number.to_string()));
    let operations: Vec<Operation> = (0..100).map(insert).collect();
    let etags = states.transact(operations, soon()).await?;
    let fresh: std::collections::BTreeSet<_> =
        etags.iter().flatten().map(|etag| etag.as_str().to_owned()).collect();
    assert_eq!((fresh.len(), stub.requests(), stub.writes()), (100, 1, 100));
    Ok(())
}

#[tokio::test]
async fn every_device_has_a_row_of_the_predecessor() -> Result<()> {
    let stub = stub(2_500, Duration::ZERO).await?;
    let states = table(&stub, "DeviceState");
    let rows = states.query_all(&Query::partition("Sydney"), soon()).await?;
    let names: Vec<_> = rows.iter().map(|row| row.entity.row.clone()).collect();
    assert_eq!(names, devices(2_500));
    assert_eq!(stub.requests(), 3, "pages of a thousand");

    let found = states.get("Sydney", "sensor-7", soon()).await?.expect("it is there");
    assert_eq!(found.entity.get("Count").and_then(fieldcast_tables::Value::as_i64), Some(1));
    states.merge(&Entity::new("Sydney", "sensor-7"), &found.etag, soon()).await?;
    assert_eq!((stub.requests(), stub.writes()), (5, 1));
    Ok(())
}

#[tokio::test]
async fn other_tables_exist_and_are_empty() -> Result<()> {
    let stub = stub(1, Duration::ZERO).await?;
    let calibration = table(&stub, "Calibration");
    calibration.create(soon()).await?;
    assert_eq!(calibration.get("Sydney", "sensor-0", soon()).await?, None);
    assert_eq!(calibration.query_all(&Query::partition("Sydney"), soon()).await?, []);
    Ok(())
}

#[tokio::test]
async fn sends_are_counted_and_answered_after_the_delay() -> Result<()> {
    let delay = Delay::new(Duration::from_secs(60 * 60))?;
    let slow = SignalR::start(delay.clone()).await?;
    let fast = SignalR::start(Delay::new(Duration::ZERO)?).await?;
    let http = device::http_client()?;
    let send = |service: &SignalR| {
        let address = format!("http://127.0.0.1:{}/api/hubs/enviromon/:send", service.port());
        http.post(address).body("{}").timeout(Duration::from_secs(60)).send()
    };
    let held = tokio::spawn(send(&slow));
    // The first request is sent after it, and the others give it time to be answered.
    for _ in 0..50 {
        assert_eq!(send(&fast).await?.status(), 202);
    }
    assert_eq!((slow.requests(), fast.requests()), (1, 50));
    assert!(!held.is_finished(), "the answer came before the delay had passed");
    delay.set(Duration::ZERO);
    assert_eq!(held.await??.status(), 202);
    Ok(())
}
