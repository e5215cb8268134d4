//! Sends in frames for each protocol, as the .NET SDK writes them.

use crate::npm::{Client, every_way};
use crate::support::Stand;
use fieldcast_test_clients::{ClientEvent, ClientOptions};
use serde_json::json;

const PATH: &str = "/api/hubs/chat/:send?api-version=2022-06-01";
/// `newMessage("hi", 1)` in a JSON frame.
const JSON: &[u8] = b"\xa4json\xc4\x36{\"type\":1,\"target\":\"newMessage\",\"arguments\":[\"hi\",1]}\x1e";
/// The same in a MessagePack frame.
const MESSAGE_PACK: &[u8] = b"\xabmessagepack\xc4\x16\x15\x96\x01\x80\xc0\xaanewMessage\x92\xa2hi\x01\x90";

async fn send(stand: &Stand, frames: &[&[u8]]) {
    let map = [&[0x80 | u8::try_from(frames.len()).unwrap()], frames.concat().as_slice()].concat();
    for media_type in ["application/octet-stream", "application/x-msgpack"] {
        let call = stand.call("POST", PATH).header("content-type", media_type);
        assert_eq!(call.body(map.clone()).send().await.unwrap().status().as_u16(), 202, "{media_type}");
    }
}

fn speaking(protocol: &str) -> ClientOptions {
    ClientOptions { protocol: Some(protocol.into()), ..ClientOptions::default() }
}

#[tokio::test]
async fn each_client_gets_the_frame_of_its_protocol() {
    let stand = Stand::start().await;
    let mut clients = Vec::new();
    for options in every_way() {
        clients.push(Client::connected(&stand, None, &options).await);
    }
    send(&stand, &[JSON, MESSAGE_PACK]).await;
    let message =
        ClientEvent::Message { target: "newMessage".into(), arguments: vec![json!("hi"), json!(1)] };
    for client in &mut clients {
        assert_eq!([client.next().await, client.next().await], [message.clone(), message.clone()]);
    }
    stand.service.stop().await;
}

#[tokio::test]
async fn a_client_whose_protocol_was_left_out_is_told_instead_of_missing_it() {
    let stand = Stand::start().await;
    for (frame, left_out) in [(JSON, "messagepack"), (MESSAGE_PACK, "json")] {
        let mut client = Client::connected(&stand, None, &speaking(left_out)).await;
        send(&stand, &[frame]).await;
        match client.next().await {
            ClientEvent::Closed { error: Some(error) } => {
                assert!(error.contains("cannot be expressed"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    stand.service.stop().await;
}
