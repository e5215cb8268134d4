//! gzip and deflate, within bounds.

use std::io::{BufRead, Read};

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

use super::Declared;

/// The most that a body may unpack to. A message of IoT Hub has at most 256 KB, and readings compress eight to sixteen times;
/// 20,000 readings in one body, the other limit, have 200 bytes each within it.
const MOST: u64 = 4 * 1024 * 1024;
/// What a small body may unpack to, and how many times its size a larger one may: a thousand small bodies must not cost as
/// much as a thousand large ones. deflate reaches a thousand times, but only for the same bytes again and again.
const SMALL: u64 = 64 * 1024;
const TIMES: u64 = 32;

/// Why a body cannot be unpacked.
#[derive(Debug, PartialEq)]
enum Failure {
    /// It is not of that format, or is damaged.
    Damaged,
    /// It is, with more bytes behind it.
    Trailing,
    /// It unpacks to more than this.
    TooLarge(u64),
}

/// The bytes in a compressed body; `None` where it is not compressed.
pub(super) fn unpacked(body: &[u8], declared: &Declared<'_>) -> Result<Option<Vec<u8>>, String> {
    let is_zlib = is_zlib(body);
    let (format, unpacked) = match body {
        [0x1f, 0x8b, ..] => ("gzip", gzip(body)),
        _ if is_zlib && (declared.is_deflate() || body[0] == USUAL_ZLIB) => ("zlib", zlib(body)),
        _ if declared.is_deflate() => ("deflate", deflate(body)),
        _ => return Ok(None),
    };
    match unpacked {
        Ok(bytes) => Ok(Some(bytes)),
        // Labelled as compressed, and JSON all the same.
        Err(Failure::Damaged | Failure::Trailing) if looks_like_json(body) => Ok(None),
        // Two bytes that are also the beginning of a text.
        Err(Failure::Damaged) if is_zlib && !declared.is_deflate() => Ok(None),
        Err(Failure::Damaged) => Err(format!("the body is not {format}, or it is damaged")),
        Err(Failure::Trailing) => Err(format!("there are bytes behind the {format} data of the body")),
        Err(Failure::TooLarge(most)) => Err(format!(
            "the body of {} bytes unpacks ({format}) to more than {most} bytes, which are the most that is read",
            body.len()
        )),
    }
}

/// Deflate with a window of 32 KiB, the only kind that programs write. As text it would begin with an `x`.
const USUAL_ZLIB: u8 = 0x78;

/// RFC 1950: method 8, a window of at most 32 KiB, and two bytes that are a multiple of 31.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, &[first, second, ..]
        if first & 0x0f == 8 && first >> 4 <= 7 && u16::from_be_bytes([first, second]) % 31 == 0)
}

/// An object, an array or a record separator, with a byte order mark or padding before it or not.
fn looks_like_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let is_before = |byte: &&u8| byte.is_ascii_whitespace() || **byte == 0;
    body.iter().find(|byte| !is_before(byte)).is_some_and(|byte| matches!(byte, b'{' | b'[' | 0x1e))
}

fn most(packed: &[u8]) -> u64 {
    MOST.min(SMALL + TIMES * packed.len() as u64)
}

/// Members of a gzip body: each costs a decoder of its own, however little is in it.
const MOST_MEMBERS: usize = 16;

/// One or more members, as `cat a.gz b.gz` makes them.
fn gzip(packed: &[u8]) -> Result<Vec<u8>, Failure> {
    let most = most(packed);
    let (mut bytes, mut rest) = (Vec::new(), packed);
    for _ in 0..MOST_MEMBERS {
        if !rest.starts_with(&[0x1f, 0x8b]) {
            break;
        }
        let mut decoder = GzDecoder::new(rest);
        read(&mut decoder, &mut bytes, most)?;
        rest = decoder.into_inner();
    }
    ended(rest).map(|()| bytes)
}

fn zlib(packed: &[u8]) -> Result<Vec<u8>, Failure> {
    let (mut bytes, mut decoder) = (Vec::new(), ZlibDecoder::new(packed));
    read(&mut decoder, &mut bytes, most(packed))?;
    ended(decoder.into_inner()).map(|()| bytes)
}

fn deflate(packed: &[u8]) -> Result<Vec<u8>, Failure> {
    let (mut bytes, mut decoder) = (Vec::new(), DeflateDecoder::new(packed));
    read(&mut decoder, &mut bytes, most(packed))?;
    ended(decoder.into_inner()).map(|()| bytes)
}

/// Reads on until the end or until there are more than `most` bytes.
fn read(decoder: &mut impl Read, bytes: &mut Vec<u8>, most: u64) -> Result<(), Failure> {
    let left = most + 1 - bytes.len() as u64;
    decoder.take(left).read_to_end(bytes).map_err(|_| Failure::Damaged)?;
    match bytes.len() as u64 > most {
        true => Err(Failure::TooLarge(most)),
        false => Ok(()),
    }
}

/// Behind the data there may be what firmware leaves there that sends its whole buffer.
fn ended(mut rest: impl BufRead) -> Result<(), Failure> {
    let rest = rest.fill_buf().map_err(|_| Failure::Damaged)?;
    match rest.iter().all(|&byte| byte == 0) {
        true => Ok(()),
        false => Err(Failure::Trailing),
    }
}
