//! Messages on a stream: length, checksum, payload.
//!
//! TCP's own checksum is 16 bits, and a stream passes through proxies here; a
//! frame that was damaged must end the connection, not become a message.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest payload that is sent or accepted.
pub const PAYLOAD_MAX: usize = 64 << 20;

const HEADER: usize = 8;

/// Why a frame could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The stream broke.
    #[error("read from the connection")]
    Io(#[from] std::io::Error),
    /// The payload is longer than any frame.
    #[error("handle a frame of {length} bytes, at most {PAYLOAD_MAX} are allowed")]
    TooLong {
        /// How long it is, or claims to be.
        length: usize,
    },
    /// The bytes are not those that were sent.
    #[error("verify a frame's checksum")]
    Checksum,
    /// The payload is not what was expected.
    #[error("encode or decode a frame's payload")]
    Payload(#[from] postcard::Error),
}

/// A value as one frame.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = postcard::to_extend(value, vec![0; HEADER])?;
    let length = frame.len() - HEADER;
    if length > PAYLOAD_MAX {
        return Err(FrameError::TooLong { length });
    }
    let length = (length as u32).to_le_bytes();
    let checksum = checksum(length, &frame[HEADER..]);
    frame[..4].copy_from_slice(&length);
    frame[4..HEADER].copy_from_slice(&checksum.to_le_bytes());
    Ok(frame)
}

/// The next value; nothing where the stream ends between two frames.
/// `buffer` is reused from call to call.
pub async fn read<T: DeserializeOwned>(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> Result<Option<T>, FrameError> {
    let mut header = [0; HEADER];
    if reader.read(&mut header[..1]).await? == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut header[1..]).await?;
    let [l0, l1, l2, l3, c0, c1, c2, c3] = header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > PAYLOAD_MAX {
        return Err(FrameError::TooLong { length });
    }
    buffer.resize(length, 0);
    reader.read_exact(buffer).await?;
    if checksum([l0, l1, l2, l3], buffer) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(FrameError::Checksum);
    }
    Ok(Some(postcard::from_bytes(buffer)?))
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(bytes: &[u8]) -> Result<Vec<String>, FrameError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (mut reader, mut buffer, mut values) = (bytes, Vec::new(), Vec::new());
            while let Some(value) = read(&mut reader, &mut buffer).await? {
                values.push(value);
            }
            Ok(values)
        })
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        let mut bytes = encode(&"one").unwrap();
        bytes.extend(encode(&"").unwrap());
        bytes.extend(encode(&"three").unwrap());
        assert_eq!(read_all(&bytes).unwrap(), ["one", "", "three"]);
    }

    #[test]
    fn every_damaged_bit_is_noticed() {
        let bytes = encode(&"a message").unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read_all(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_is_an_error() {
        let bytes = encode(&"a message").unwrap();
        for length in 1..bytes.len() {
            assert!(read_all(&bytes[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_claim_of_too_many_bytes_is_refused_before_they_are_awaited() {
        let error = read_all(&[0xff; 8]).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { .. }));
    }
}
