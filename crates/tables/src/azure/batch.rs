//! Entity group transactions: their form as a multipart request, and the multipart answer. Pure.

mod body;
mod reply;

pub(super) use body::{CONTENT_TYPE, body, merge};
pub(super) use reply::read;
