//! What bytes that are no text may be, so that their sender learns what to change.

/// Beginnings of formats that people send, or whose files they send.
const BEGINNINGS: [(&[u8], &str); 12] = [
    (b"Obj\x01", "an Avro file"),
    (b"\xd9\xd9\xf7", "CBOR"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "a zip file"),
    (b"PAR1", "a Parquet file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF file"),
    (b"Salted__", "encrypted by OpenSSL"),
];

/// Why bytes are not read. `valid` is how many of them are UTF-8.
pub(super) fn describe(bytes: &[u8], valid: usize) -> String {
    if let Some(problem) = behind_nul(&bytes[..valid]) {
        return problem;
    }
    let detail = format!("the body is not UTF-8 from byte {valid} on");
    match format(bytes, valid) {
        Some(format) => format!("{detail}: it looks like {format}, and must be JSON"),
        None => detail,
    }
}

/// Text, then NULs, then whatever else was in the buffer.
fn behind_nul(text: &[u8]) -> Option<String> {
    let begun = text.iter().position(|&byte| byte != 0)?;
    let nul = begun + text[begun..].iter().position(|&byte| byte == 0)?;
    matches!(text[begun], b'{' | b'[').then(|| {
        format!(
            "there are more bytes behind the NUL at byte {nul}: send the text alone, not the whole buffer"
        )
    })
}

fn format(bytes: &[u8], valid: usize) -> Option<&'static str> {
    if let Some((_, name)) = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning)) {
        return Some(name);
    }
    match bytes {
        // A map, and then its first name, which is a text.
        [0xa1..=0xb7 | 0xbf, 0x60..=0x7b, ..] => Some("CBOR"),
        [0x81..=0x8f, 0xa1..=0xbf, ..] | [0xde, _, _, 0xa1..=0xbf, ..] => Some("MessagePack"),
        // Fields 1 to 5: a number, a fixed one, or a text with its length.
        [0x08 | 0x09 | 0x0a | 0x0d | 0x10 | 0x11 | 0x12 | 0x15 | 0x18 | 0x1a, ..] => Some("protobuf"),
        // Letters of ISO 8859-1 or of a code page of Windows, in what is text otherwise.
        [b'{' | b'[', ..] if valid > 1 => Some("text in another encoding, such as ISO 8859-1"),
        _ => None,
    }
}
