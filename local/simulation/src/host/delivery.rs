//! One invocation with a batch.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::handlers::Handlers;
use super::reply;
use crate::instance::Gone;
use crate::workload::Message;
use crate::world::World;

/// A batch on its way to an instance.
pub(super) struct Delivery<'a> {
    pub(super) messages: &'a [&'a Message],
    pub(super) envelope: String,
    /// For the story.
    pub(super) name: &'a str,
}

/// Delivers a batch; whether the handler took it.
pub(super) async fn deliver(
    world: &World,
    handlers: &Arc<Handlers>,
    instance: usize,
    delivery: Delivery<'_>,
) -> bool {
    let Delivery { messages, envelope, name } = delivery;
    world.count("invocations");
    world.record().tally.add("events delivered", messages.len() as u64);
    let request = Request::post("/EnvironmentEventTrigger")
        .header("content-type", "application/json; charset=utf-8")
        .header("x-azure-functions-invocationid", "5f1d3c8e-0b57-4c0a-9a55-0d6f2f6b7a10")
        .body(Body::from(envelope));
    match handlers.call(instance, request.expect("the request is well formed")).await {
        Err(Gone) => {
            world.tell(|| format!("{name}: instance {instance} is gone"));
            false
        }
        Ok(response) if response.status() == StatusCode::OK => {
            let line = reply::check(world, messages, response.body());
            world.tell(|| format!("{name}: instance {instance} says: {line}"));
            true
        }
        Ok(response) => {
            reply::check_failure(world, response.status(), response.body());
            world.tell(|| format!("{name}: instance {instance} fails it"));
            false
        }
    }
}
