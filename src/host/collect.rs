//! The body of a request, collected into one piece of memory that is as large as the caller announced.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use futures_util::StreamExt;
use tokio::time::timeout;

/// What is reserved on the word of a caller alone. A full batch of 32 MiB is 43 MiB as base64, and a few more of
/// metadata; what is larger grows as it arrives.
const BELIEVED: usize = 64 * 1024 * 1024;

/// A body takes milliseconds: the host has it whole before it calls. Who sends only half of one holds memory for no longer.
pub(crate) const SLOWEST: Duration = Duration::from_secs(30);

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Uncollected {
    /// It is larger than the limit.
    TooLarge,
    /// The connection ended before the body did.
    Cut,
    /// It did not arrive in time.
    Slow,
}

/// Collects a body of at most `limit` bytes.
pub(crate) async fn collect(body: Body, limit: usize) -> Result<Vec<u8>, Uncollected> {
    timeout(SLOWEST, collect_patiently(body, limit)).await.unwrap_or(Err(Uncollected::Slow))
}

async fn collect_patiently(body: Body, limit: usize) -> Result<Vec<u8>, Uncollected> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut collected = Vec::with_capacity(announced.min(limit).min(BELIEVED));
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Uncollected::Cut)?;
        if chunk.len() > limit - collected.len() {
            return Err(Uncollected::TooLarge);
        }
        collected.extend_from_slice(&chunk);
    }
    Ok(collected)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    fn chunks(chunks: &[&'static str]) -> Body {
        let chunks: Vec<_> = chunks
            .iter()
            .map(|chunk| Ok::<_, std::io::Error>(Bytes::from_static(chunk.as_bytes())))
            .collect();
        Body::from_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn chunks_become_one_body() {
        assert_eq!(collect(chunks(&["ab", "", "cd"]), 4).await, Ok(b"abcd".to_vec()));
        assert_eq!(collect(Body::empty(), 4).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn an_announced_body_is_never_moved() {
        let collected = collect(Body::from("abcd"), 4).await.unwrap();
        assert_eq!((collected.as_slice(), collected.capacity()), (b"abcd".as_slice(), 4));
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_announced_or_not() {
        assert_eq!(collect(Body::from("abcde"), 4).await, Err(Uncollected::TooLarge));
        assert_eq!(collect(chunks(&["ab", "cde"]), 4).await, Err(Uncollected::TooLarge));
    }

    /// Also one of which a little comes now and then.
    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_is_given_up() {
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(SLOWEST / 5).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"a")), ()))
        });
        let began = tokio::time::Instant::now();
        assert_eq!(collect(Body::from_stream(drops), 100).await, Err(Uncollected::Slow));
        assert_eq!(began.elapsed(), SLOWEST);
    }

    #[tokio::test]
    async fn a_cut_body_is_not_taken_for_a_short_one() {
        let cut = [Ok(Bytes::from_static(b"ab")), Err(std::io::Error::other("cut"))];
        assert_eq!(collect(Body::from_stream(stream::iter(cut)), 4).await, Err(Uncollected::Cut));
    }
}
