//! A request before it is dated and signed.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH};

use crate::azure::trouble::Effect;
use crate::{Etag, Invalid};

/// A request before it is dated and signed.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Below the endpoint, already encoded.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
    pub(super) effect: Effect,
}

impl Request {
    pub(super) fn new(method: Method, path: String, effect: Effect) -> Request {
        Request { method, path, query: String::new(), headers: Vec::new(), body: Bytes::new(), effect }
    }

    pub(super) fn with_query(self, query: String) -> Request {
        Request { query, ..self }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: &'static str) -> Request {
        self.headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
        self
    }

    pub(super) fn with_etag(mut self, etag: &Etag) -> Result<Request, Invalid> {
        let value = HeaderValue::from_str(etag.as_str()).map_err(|_| Invalid::Etag)?;
        self.headers.push((IF_MATCH, value));
        Ok(self)
    }

    pub(super) fn with_json(self, body: impl Into<Bytes>) -> Request {
        self.with_body(body, "application/json")
    }

    pub(super) fn with_body(mut self, body: impl Into<Bytes>, content_type: &'static str) -> Request {
        self.headers.push((CONTENT_TYPE, HeaderValue::from_static(content_type)));
        Request { body: body.into(), ..self }
    }
}
