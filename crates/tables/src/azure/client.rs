//! One request and its answer, repeated where that is safe: the only place that talks to the network.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use tokio::time::{sleep, timeout};

use crate::azure::ConnectionString;
use crate::azure::dates::store_time;
use crate::azure::request::Request;
use crate::azure::response::Response;
use crate::azure::sign::Signer;
use crate::azure::trouble::Trouble;
use crate::{Answered, Deadline, Error, Retry, TableName};

/// The version that the official clients for tables send; SharedKeyLite needs one.
const SERVICE_VERSION: HeaderValue = HeaderValue::from_static("2019-02-02");
const DATA_VERSION: HeaderValue = HeaderValue::from_static("3.0");
/// The least that has etags in lists and annotates the types that JSON cannot tell. Without it the service
/// answers in Atom.
const JSON: HeaderValue = HeaderValue::from_static("application/json;odata=minimalmetadata");

/// Where an account is, and how requests to it are signed, sent and repeated. Cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    endpoint: Arc<Url>,
    signer: Arc<Signer>,
    http: reqwest::Client,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    retry: Retry,
}

impl Client {
    pub(super) fn new(connection: ConnectionString, http: reqwest::Client) -> Client {
        Client {
            endpoint: Arc::new(connection.endpoint),
            signer: Arc::new(Signer::new(connection.credential)),
            http,
            clock: Arc::new(SystemTime::now),
            retry: Retry::default(),
        }
    }

    pub(super) fn with_clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Client {
        Client { clock: Arc::new(clock), ..self }
    }

    pub(super) fn with_retry(self, retry: Retry) -> Client {
        Client { retry, ..self }
    }

    /// The address of the account, without a slash at its end.
    pub(super) fn endpoint(&self) -> &str {
        self.endpoint.as_str().trim_end_matches('/')
    }

    /// Sends a request about `table`, repeats it where that is safe, and reads the answer.
    pub(super) async fn exchange<T>(
        &self,
        table: &TableName,
        request: &Request,
        deadline: Deadline,
        read: impl Fn(Response) -> Result<T, Trouble>,
    ) -> Result<Answered<T>, Error> {
        if deadline.remaining().is_zero() {
            return Err(Error::not_tried());
        }
        let mut attempts = 0;
        let mut delays = self.retry.delays(rand::random);
        loop {
            let trouble =
                match self.attempt(request, deadline).await.and_then(|response| dated(response, &read)) {
                    Ok(answered) => return Ok(answered),
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

    async fn attempt(&self, request: &Request, deadline: Deadline) -> Result<Response, Trouble> {
        let time = self.retry.attempt_timeout.min(deadline.remaining());
        timeout(time, self.send(request)).await.unwrap_or(Err(Trouble::TimedOut(None)))
    }

    async fn send(&self, request: &Request) -> Result<Response, Trouble> {
        let url = self.address(request);
        let headers = self.headers(request, url.path());
        let sending = self.http.request(request.method.clone(), url).headers(headers);
        let answer = sending.body(request.body.clone()).send().await.map_err(Trouble::from_client)?;
        Response::read(answer, &*self.clock).await
    }

    fn address(&self, request: &Request) -> Url {
        let fields = [request.query.as_str(), self.signer.query().unwrap_or_default()];
        let query = fields.into_iter().filter(|field| !field.is_empty()).collect::<Vec<_>>().join("&");
        let mut url = Url::clone(&self.endpoint);
        url.set_path(&format!("{}/{}", self.endpoint.path().trim_end_matches('/'), request.path));
        url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        url
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

/// The value of an answer, with the service's clock.
fn dated<T>(
    response: Response,
    read: impl Fn(Response) -> Result<T, Trouble>,
) -> Result<Answered<T>, Trouble> {
    let clock = response.date().map(store_time);
    read(response).map(|value| Answered { value, clock })
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Client");
        text.field("endpoint", &self.endpoint()).field("signer", &self.signer).field("retry", &self.retry);
        text.finish_non_exhaustive()
    }
}
