//! One request and its reply, repeated where that is safe: the only place that talks to the network.

use std::time::SystemTime;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MATCH};
use reqwest::{Method, Url};
use tokio::time::{sleep, timeout};

use crate::answer::Answer;
use crate::trouble::{Effect, Trouble};
use crate::{Account, Deadline, Error, Etag, Failure};

/// The version that the official clients for tables send; SharedKeyLite needs one.
const SERVICE_VERSION: HeaderValue = HeaderValue::from_static("2019-02-02");
const DATA_VERSION: HeaderValue = HeaderValue::from_static("3.0");
/// The least that has etags in lists and annotates the types that JSON cannot tell. Without it the service
/// answers in Atom.
const JSON: HeaderValue = HeaderValue::from_static("application/json;odata=minimalmetadata");

/// A request before it is dated and signed.
#[derive(Debug)]
pub(crate) struct Request {
    method: Method,
    /// Below the endpoint, already encoded.
    path: String,
    query: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    effect: Effect,
}

impl Request {
    pub(crate) fn new(method: Method, path: String, effect: Effect) -> Request {
        Request { method, path, query: String::new(), headers: Vec::new(), body: Bytes::new(), effect }
    }

    pub(crate) fn with_query(self, query: String) -> Request {
        Request { query, ..self }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &'static str) -> Request {
        self.headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
        self
    }

    pub(crate) fn with_etag(mut self, etag: &Etag) -> Request {
        let value = HeaderValue::from_str(etag.as_str()).expect("an etag is visible ASCII");
        self.headers.push((IF_MATCH, value));
        self
    }

    pub(crate) fn with_json(self, body: impl Into<Bytes>) -> Request {
        self.with_body(body, HeaderValue::from_static("application/json"))
    }

    pub(crate) fn with_body(mut self, body: impl Into<Bytes>, content_type: HeaderValue) -> Request {
        self.headers.push((CONTENT_TYPE, content_type));
        Request { body: body.into(), ..self }
    }
}

/// A whole HTTP answer, of whatever status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The time at which it arrived, for dates in it.
    received: SystemTime,
}

impl Reply {
    /// Refuses any status but these.
    pub(crate) fn expect(&self, statuses: &[u16]) -> Result<(), Trouble> {
        match self.status {
            status if statuses.contains(&status) => Ok(()),
            200..300 => Err(Trouble::Unreadable("the status is not one that this request has")),
            _ => Err(Trouble::Answered(self.answer())),
        }
    }

    pub(crate) fn answer(&self) -> Answer {
        Answer::new(self.status, &self.headers, &self.body, self.received)
    }
}

impl Account {
    /// Sends a request about `table`, repeats it where that is safe, and reads the reply.
    pub(crate) async fn exchange<T>(
        &self,
        table: &str,
        request: Request,
        deadline: Deadline,
        read: impl Fn(Reply) -> Result<T, Trouble>,
    ) -> Result<T, Error> {
        if deadline.remaining().is_zero() {
            return Err(Error::Unavailable { attempts: 0, last: Failure::NotTried, source: None });
        }
        let mut attempts = 0;
        let mut delays = self.retry.delays(rand::random);
        loop {
            let trouble = match self.attempt(&request, deadline).await.and_then(&read) {
                Ok(done) => return Ok(done),
                Err(trouble) => trouble,
            };
            attempts += 1;
            let scheduled = delays.next().unwrap_or(self.retry.longest_delay);
            match trouble.delay(request.effect, attempts, scheduled) {
                Some(delay) if delay < deadline.remaining() => sleep(delay).await,
                _ => return Err(trouble.into_error(request.effect, attempts, table, self.signer.kind())),
            }
        }
    }

    async fn attempt(&self, request: &Request, deadline: Deadline) -> Result<Reply, Trouble> {
        let time = self.retry.attempt_timeout.min(deadline.remaining());
        timeout(time, self.send(request)).await.unwrap_or(Err(Trouble::TimedOut(None)))
    }

    async fn send(&self, request: &Request) -> Result<Reply, Trouble> {
        let url = self.address(request);
        let headers = self.headers(request, url.path());
        let sending = self.http.request(request.method.clone(), url).headers(headers);
        let mut response = sending.body(request.body.clone()).send().await.map_err(Trouble::from_client)?;
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        let body = response.bytes().await.map_err(Trouble::from_client)?;
        Ok(Reply { status, headers, body, received: (self.clock)() })
    }

    fn address(&self, request: &Request) -> Url {
        let fields = [request.query.as_str(), self.signer.query().unwrap_or_default()];
        let query = fields.into_iter().filter(|field| !field.is_empty()).collect::<Vec<_>>().join("&");
        let separator = if query.is_empty() { "" } else { "?" };
        let text = format!("{}/{}{separator}{query}", self.endpoint, request.path);
        Url::parse(&text).expect("an encoded path below a checked endpoint is an address")
    }

    fn headers(&self, request: &Request, path: &str) -> HeaderMap {
        let date = httpdate::fmt_http_date((self.clock)());
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(ACCEPT, JSON);
        headers.insert("dataserviceversion", DATA_VERSION);
        headers.insert("x-ms-version", SERVICE_VERSION);
        headers.extend(self.signer.authorization(&date, path).map(|value| (AUTHORIZATION, value)));
        headers.insert("x-ms-date", HeaderValue::try_from(date).expect("a date is plain ASCII"));
        headers.extend(request.headers.iter().cloned());
        headers
    }
}
