//! Sends in frames for each protocol, as the .NET SDK writes them.

use crate::npm::{Client, every_way};
use crate::support::TestService;
use fieldcast_test_clients::{ClientEvent, ClientOptions};
use serde_json::json;

const PATH: &str = "/api/hubs/chat/:send?api-version=2022-06-01";
/// `newMessage("hi", 1)` in a JSON frame.
const JSON: &[u8] = b"\xa4json\xc4\x36{\"type\":1,\"target\":\"newMessage\",\"arguments\":[\"hi\",1]}\x1e";
/// The same in a MessagePack frame.
const MESSAGE_PACK: &[u8] = b"\xabmessagepack\xc4\x16\x15\x96\x01\x80\xc0\xaanewMessage\x92\xa2hi\x01\x90";

async fn send(test: &TestService, frames: &[&[u8]]) {
    let map = [&[0x80 | u8::try_from(frames.len()).unwrap()], frames.concat().as_slice()].concat();
    for media_type in ["application/octet-stream", "application/x-msgpack"] {
        let call = test.call("POST", PATH).header("content-type", media_type);
        assert_eq!(call.body(map.clone()).send().await.unwrap().status().as_u16(), 202, "{media_type}");
    }
}

fn speaking(protocol: &str) -> ClientOptions {
    ClientOptions { protocol: Some(protocol.into()), ..ClientOptions::default() }
}

#[tokio::test]
async fn each_client_gets_the_frame_of_its_protocol() {
    let test = TestService::start().await;
    let mut clients = Vec::new();
    for options in every_way() {
        clients.push(Client::connected(&test, None, &options).await);
    }
    send(&test, &[JSON, MESSAGE_PACK]).await;
    let message =
        ClientEvent::Message { target: "newMessage".into(), arguments: vec![json!("hi"), json!(1)] };
    for client in &mut clients {
        assert_eq!([client.next().await, client.next().await], [message.clone(), message.clone()]);
    }
    test.service.stop().await;
}

#[tokio::test]
async fn a_client_whose_protocol_was_left_out_is_told_instead_of_missing_it() {
    let test = TestService::start().await;
    for (frame, left_out) in [(JSON, "messagepack"), (MESSAGE_PACK, "json")] {
        let mut client = Client::connected(&test, None, &speaking(left_out)).await;
        send(&test, &[frame]).await;
        match client.next().await {
            ClientEvent::Closed { error: Some(error) } => {
                assert!(error.contains("cannot be expressed"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    test.service.stop().await;
}
