//! A whole HTTP answer, of whatever status.

use std::time::SystemTime;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap};

use crate::Etag;
use crate::azure::answer::Answer;
use crate::azure::trouble::Trouble;

/// The largest body that is read. The service ends a page at 4 MiB of rows as it stores them. In JSON they are at most four
/// times as long: a control character is stored in two bytes and written in six, a time in 18 with a short name and written in
/// 66 with its annotation, and base64 adds a third. With the etags of a thousand rows that is 17 MiB. Azurite ends a page at a
/// thousand rows, however large they are, so there is room for that.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

const TOO_LARGE: Trouble = Trouble::Unreadable("the body is larger than 64 MiB");

/// A whole HTTP answer, of whatever status.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// The time at which it arrived, for dates in it.
    received: SystemTime,
}

impl Response {
    /// Reads an answer to its end.
    pub(super) async fn read(
        mut answer: reqwest::Response,
        clock: &(dyn Fn() -> SystemTime + Send + Sync),
    ) -> Result<Response, Trouble> {
        let announced =
            answer.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced > LARGEST_BODY {
            return Err(TOO_LARGE);
        }
        let mut body = Vec::with_capacity(announced);
        while let Some(piece) = answer.chunk().await.map_err(Trouble::from_client)? {
            if body.len() + piece.len() > LARGEST_BODY {
                return Err(TOO_LARGE);
            }
            body.extend_from_slice(&piece);
        }
        let headers = std::mem::take(answer.headers_mut());
        Ok(Response { status: answer.status().as_u16(), headers, body, received: clock() })
    }

    /// Refuses any status but these.
    pub(super) fn require_status(&self, statuses: &[u16]) -> Result<(), Trouble> {
        match self.status {
            status if statuses.contains(&status) => Ok(()),
            200..300 => Err(Trouble::Unreadable("the status is not one that this request has")),
            _ => Err(Trouble::Answered(self.answer())),
        }
    }

    pub(super) fn answer(&self) -> Answer {
        Answer::new(self.status, &self.headers, &self.body, self.received)
    }

    pub(super) fn etag(&self) -> Option<Etag> {
        Etag::new(self.headers.get("etag")?.to_str().ok()?).ok()
    }

    pub(super) fn content_type(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|text| text.to_str().ok()).unwrap_or_default()
    }

    /// When the service answered, by its own clock and to the second.
    pub(super) fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.headers.get(DATE)?.to_str().ok()?).ok()
    }
}
