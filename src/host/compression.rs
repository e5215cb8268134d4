//! Compression of large answers, for callers who can read it. Small ones would only cost time, and envelopes are read by
//! the host alone.
//!
//! The thread that counts events does not compress: pieces go to one other thread, one after the other, so that there is
//! never a second heap with what compression leaves behind.

use std::io::{self, Write};

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_ENCODING, VARY};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::StreamExt;
use futures_util::stream::try_unfold;
use tokio::sync::Semaphore;

/// Bytes of a body that are not worth it: it would fit in one packet anyway.
const NOT_WORTH_IT: u64 = 512;

/// Bytes that are handed to the other thread at once: enough that the way there and back costs little beside the work.
const PIECE: usize = 64 * 1024;

/// The turn on the other thread.
static TURN: Semaphore = Semaphore::const_new(1);

/// The response, compressed if it is worth it and the caller's `Accept-Encoding` allows it.
pub(crate) fn compressed(mut response: Response, accepted: Option<&str>) -> Response {
    if response.body().size_hint().exact().is_some_and(|bytes| bytes < NOT_WORTH_IT) {
        return response;
    }
    response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    if !accepted.is_some_and(takes_gzip) {
        return response;
    }
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.map(|body| Body::from_stream(try_unfold(Gzip::new(body), Gzip::next)))
}

/// Whether a list of encodings has gzip in it and does not rule it out (RFC 9110, 12.5.3).
fn takes_gzip(accepted: &str) -> bool {
    let weight = |name: &str| {
        accepted.split(',').find_map(|encoding| {
            let (encoding, parameters) = encoding.split_once(';').unwrap_or((encoding, ""));
            let is_it = encoding.trim().eq_ignore_ascii_case(name);
            let q = parameters.trim().to_ascii_lowercase().strip_prefix("q=").map(str::to_owned);
            is_it.then(|| q.map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0)))
        })
    };
    weight("gzip").or_else(|| weight("x-gzip")).or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

/// A body on its way through the encoder.
struct Gzip {
    body: BodyDataStream,
    /// What came and was not handed over yet.
    rest: Bytes,
    /// `None` when the end has been written.
    encoder: Option<Encoder>,
}

type Encoder = GzEncoder<Vec<u8>>;

impl Gzip {
    /// At the fastest level: a fleet becomes a seventh of its size.
    fn new(body: Body) -> Gzip {
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        Gzip { body: body.into_data_stream(), rest: Bytes::new(), encoder: Some(encoder) }
    }

    /// The next compressed bytes. The encoder holds some back, so it may take several pieces to get any.
    async fn next(mut self) -> Result<Option<(Bytes, Gzip)>, axum::Error> {
        while let Some(mut encoder) = self.encoder.take() {
            let piece = self.piece().await?;
            // Here and not on the other thread, whose heap would keep it.
            encoder.get_mut().reserve(PIECE / 4);
            let bytes = match piece {
                Some(piece) => {
                    let mut encoder = aside(move || encoder.write_all(&piece).map(|()| encoder)).await?;
                    let bytes = std::mem::take(encoder.get_mut());
                    self.encoder = Some(encoder);
                    bytes
                }
                None => aside(move || encoder.finish()).await?,
            };
            if !bytes.is_empty() {
                return Ok(Some((bytes.into(), self)));
            }
        }
        Ok(None)
    }

    /// The next bytes of the body; `None` at its end.
    async fn piece(&mut self) -> Result<Option<Bytes>, axum::Error> {
        while self.rest.is_empty() {
            match self.body.next().await {
                Some(frame) => self.rest = frame?,
                None => return Ok(None),
            }
        }
        let length = self.rest.len().min(PIECE);
        Ok(Some(self.rest.split_to(length)))
    }
}

/// Does work on the other thread.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, axum::Error> {
    let _turn = TURN.acquire().await.map_err(axum::Error::new)?;
    let done = tokio::task::spawn_blocking(work).await.map_err(axum::Error::new)?;
    done.map_err(axum::Error::new)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::body::to_bytes;
    use flate2::read::GzDecoder;
    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_callers_word_is_read_as_the_standard_says() {
        for (accepted, taken) in [
            ("gzip", true),
            ("br, GZIP ;q=0.5", true),
            ("*", true),
            ("x-gzip", true),
            ("identity", false),
            ("br;q=1, gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("*;q=0.0", false),
            ("", false),
            ("gzip;q=nonsense", false),
        ] {
            assert_eq!(takes_gzip(accepted), taken, "{accepted}");
        }
    }

    fn response(frames: Vec<Result<Bytes, io::Error>>) -> Response {
        compressed(Response::new(Body::from_stream(stream::iter(frames))), Some("gzip"))
    }

    #[tokio::test]
    async fn small_bodies_stay_as_they_are() {
        let response = compressed(Response::new(Body::from("{}")), Some("gzip"));
        assert!(response.headers().is_empty());
    }

    #[tokio::test]
    async fn who_cannot_read_it_gets_it_plain() {
        for accepted in [None, Some("br")] {
            let response = compressed(Response::new(Body::from(vec![b'x'; 4_096])), accepted);
            assert_eq!(response.headers().get("content-encoding"), None);
            assert_eq!(response.headers()["vary"], "accept-encoding", "a cache must not mix them up");
        }
    }

    /// Half a body that ends well would be taken for a whole one.
    #[tokio::test]
    async fn a_body_that_is_cut_off_stays_cut_off() {
        let frames = vec![Ok(vec![b'x'; PIECE].into()), Err(io::Error::other("cut"))];
        to_bytes(response(frames).into_body(), usize::MAX).await.unwrap_err();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_read_is_what_was_written(frames in prop::collection::vec((any::<u8>(), 0..3 * PIECE), 0..4)) {
            let frames: Vec<Bytes> = frames.into_iter().map(|(byte, length)| vec![byte; length].into()).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let response = response(frames.iter().cloned().map(Ok).collect());
            let sent = runtime.block_on(to_bytes(response.into_body(), usize::MAX)).unwrap();
            let mut read = Vec::new();
            GzDecoder::new(&*sent).read_to_end(&mut read).unwrap();
            prop_assert_eq!(read, frames.concat());
        }
    }
}
