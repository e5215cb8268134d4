//! Starts the real Azurite, which has to be installed (`npm ci` in this crate's folder).

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use fieldcast_azurite::Azurite;

fn start(data: Option<&Path>) -> Azurite {
    Azurite::start(data).unwrap_or_else(|error| panic!("{error}"))
}

fn address(azurite: &Azurite) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], azurite.port()))
}

#[test]
fn table_service_answers_on_its_own_port() {
    let (one, other) = (start(None), start(None));
    assert_ne!(one.port(), other.port());
    let mut stream = TcpStream::connect(address(&one)).unwrap();
    stream
        .write_all(b"GET /devstoreaccount1/Tables HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.contains("Azurite-Table/3.35.0"), "{reply}");
}

#[test]
fn dropping_ends_the_process() {
    let azurite = start(None);
    let mut stream = TcpStream::connect(address(&azurite)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    drop(azurite);
    match stream.read(&mut [0]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("the connection is still open: {other:?}"),
    }
}

#[test]
fn connection_string_names_the_port() {
    let azurite = start(None);
    let endpoint = format!("TableEndpoint=http://127.0.0.1:{}/devstoreaccount1;", azurite.port());
    assert!(azurite.connection_string().ends_with(&endpoint), "{}", azurite.connection_string());
}

#[test]
fn data_folder_is_used() {
    let folder = tempfile::tempdir().unwrap();
    drop(start(Some(folder.path())));
    assert!(folder.path().join("__azurite_db_table__.json").exists());
}
