//! Groups, existence checks, closing and health at one endpoint.

use std::time::Duration;

use fieldcast_signalr::{HubClient, Membership, SendError, Target};

use crate::service::{KEY, LONG, Reply, Service};
use crate::token::audience;

fn absent(code: &'static str) -> Reply {
    Reply::Full { status: 404, headers: code, body: "" }
}

const NO_CONNECTION: &str = "x-ms-error-code: Error.Connection.NotExisted\r\n";
const NO_USER: &str = "x-ms-error-code: Warning.User.NotExisted\r\n";
const NOT_IN_GROUP: &str = "x-ms-error-code: Info.User.NotInGroup\r\n";

async fn every_call(client: &HubClient) -> Result<(), SendError> {
    client.add_connection_to_group("c 1", "g/1", LONG).await?;
    client.remove_connection_from_group("c 1", "g/1", LONG).await?;
    client.remove_connection_from_all_groups("c 1", LONG).await?;
    client.add_user_to_group("u", "g", Membership::Kept, LONG).await?;
    client.add_user_to_group("u", "g", Membership::For(Duration::from_secs(90)), LONG).await?;
    client.remove_user_from_group("u", "g", LONG).await?;
    client.remove_user_from_all_groups("u", LONG).await?;
    client.connection_exists("c", LONG).await?;
    client.user_exists("u", LONG).await?;
    client.group_exists("g", LONG).await?;
    client.user_in_group("u", "g", LONG).await?;
    client.close(Target::Connection("c"), Some("bye bye"), LONG).await?;
    client.close(Target::AllExcept(&["c"]), None, LONG).await?;
    client.close(Target::User("u"), None, LONG).await
}

#[tokio::test]
async fn every_call_follows_its_route_with_a_token_for_it() {
    let service = Service::start([]).await;
    every_call(&service.client()).await.expect("2xx throughout");
    let expected = [
        "PUT /api/hubs/chat/groups/g%2F1/connections/c%201?api-version=2022-06-01",
        "DELETE /api/hubs/chat/groups/g%2F1/connections/c%201?api-version=2022-06-01",
        "DELETE /api/hubs/chat/connections/c%201/groups?api-version=2022-06-01",
        "PUT /api/hubs/chat/users/u/groups/g?api-version=2022-06-01",
        "PUT /api/hubs/chat/users/u/groups/g?api-version=2022-06-01&ttl=90",
        "DELETE /api/hubs/chat/users/u/groups/g?api-version=2022-06-01",
        "DELETE /api/hubs/chat/users/u/groups?api-version=2022-06-01",
        "HEAD /api/hubs/chat/connections/c?api-version=2022-06-01",
        "HEAD /api/hubs/chat/users/u?api-version=2022-06-01",
        "HEAD /api/hubs/chat/groups/g?api-version=2022-06-01",
        "HEAD /api/hubs/chat/users/u/groups/g?api-version=2022-06-01",
        "DELETE /api/hubs/chat/connections/c?api-version=2022-06-01&reason=bye%20bye",
        "POST /api/hubs/chat/:closeConnections?api-version=2022-06-01&excluded=c",
        "POST /api/hubs/chat/users/u/:closeConnections?api-version=2022-06-01",
    ];
    assert_eq!(service.lines(), expected);
    for seen in service.seen() {
        let (_, target) = seen.line.split_once(' ').expect("method and target");
        let (path, _) = target.split_once('?').expect("a query");
        assert_eq!(audience(&seen, KEY), format!("{}{path}", service.origin()));
    }
}

#[tokio::test]
async fn health_is_asked_without_a_token() {
    let service = Service::start([Reply::Status(200)]).await;
    service.client().health(LONG).await.expect("200");
    let seen = service.seen().pop().expect("a request");
    assert_eq!(seen.line, "HEAD /api/health?api-version=2022-06-01");
    assert!(!seen.headers.contains_key("authorization"));
}

#[tokio::test]
async fn what_is_gone_can_be_removed_and_closed_but_not_added() {
    let service = Service::start(vec![absent(NO_CONNECTION); 4]).await;
    let client = service.client();
    let added = client.add_connection_to_group("c", "g", LONG).await;
    assert!(
        matches!(&added, Err(SendError::NotFound { code }) if code == "Error.Connection.NotExisted"),
        "{added:?}"
    );
    client.remove_connection_from_group("c", "g", LONG).await.expect("nothing to remove");
    client.close(Target::Connection("c"), None, LONG).await.expect("nothing to close");
    client.remove_connection_from_all_groups("c", LONG).await.expect("nothing to remove");
}

#[tokio::test]
async fn a_missing_user_is_not_reported_as_added() {
    let service = Service::start([absent(NO_USER)]).await;
    let added = service.client().add_user_to_group("u", "g", Membership::Kept, LONG).await;
    assert!(matches!(added, Err(SendError::NotFound { .. })), "{added:?}");
}

#[tokio::test]
async fn existence_is_told_from_a_wrong_address() {
    let service =
        Service::start([absent(NO_USER), absent(NOT_IN_GROUP), Reply::Status(200), Reply::Status(404)]).await;
    let client = service.client();
    assert!(!client.user_exists("u", LONG).await.expect("an answer"));
    assert!(!client.user_in_group("u", "g", LONG).await.expect("an answer"));
    assert!(client.group_exists("g", LONG).await.expect("an answer"));
    let wrong = client.connection_exists("c", LONG).await;
    assert!(matches!(wrong, Err(SendError::WrongEndpoint { .. })), "{wrong:?}");
}

#[tokio::test]
async fn calls_that_can_be_repeated_are_repeated() {
    for reply in [Reply::Status(500), Reply::Status(408), Reply::Status(429), Reply::Cut] {
        let service = Service::start([reply.clone()]).await;
        service.client().add_connection_to_group("c", "g", LONG).await.expect("2xx at the second try");
        assert_eq!(service.seen().len(), 2, "{reply:?}");
    }
}
