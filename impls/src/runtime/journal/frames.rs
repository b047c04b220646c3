//! Frames of the journal, as bytes: written, read back, and told apart when
//! they are broken.
//!
//! ```text
//!   marker 4 | length 4 | sequence 8 | crc of payload 4 | crc of header 4 | payload | end 1
//! ```
//!
//! What a crash leaves behind and what a damaged disk leaves behind must not
//! be mixed up: cutting off a record that was acknowledged loses it (Alagappan
//! et al., "Protocol-Aware Recovery", FAST 2018), and refusing to start after
//! a crash costs the cluster a node. A broken frame is a *torn write* only if
//! all of this holds:
//!
//! - no header of a later frame stands behind it: one frame is in flight at a
//!   time, so a later one proves that this one had been complete;
//! - the file ends inside it, or at its end with at least one sector of it
//!   never written (all zeros): sectors are written whole or not at all, in
//!   any order. A frame begins and ends with bytes other than zero, so that
//!   its first and last sector tell, too;
//! - what was written of its header is what the next frame's must be.
//!
//! Everything else is *damage*. One case is beyond any reader: the last frame
//! cut short by the disk looks as if the crash had done it.

/// The bytes before a payload.
pub(super) const HEADER: usize = 24;

const MARKER: [u8; 4] = *b"TRBF";
const END: u8 = 0xe5;
const SECTOR: usize = 512;

/// What stands at some place of a journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A whole frame.
    Frame {
        /// What it carries.
        payload: &'a [u8],
        /// Where the next one begins.
        end: usize,
    },
    /// The end of the journal.
    End,
    /// A write that a crash interrupted; nothing in it was acknowledged.
    Torn,
    /// Bytes that no crash leaves behind.
    Damaged(String),
}

/// A payload as a frame.
pub(super) fn encode(sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER + payload.len() + 1);
    frame.extend(MARKER);
    frame.extend((payload.len() as u32).to_le_bytes());
    frame.extend(sequence.to_le_bytes());
    frame.extend(crc32fast::hash(payload).to_le_bytes());
    frame.extend(crc32fast::hash(&frame).to_le_bytes());
    frame.extend(payload);
    frame.push(END);
    frame
}

/// What stands at `start`, where the frame `sequence` is expected.
pub(super) fn next(bytes: &[u8], start: usize, sequence: u64) -> Found<'_> {
    let rest = &bytes[start..];
    if rest.is_empty() {
        return Found::End;
    }
    match Header::read(rest) {
        Some(header) if header.sequence != sequence => Found::Damaged(format!(
            "frame {} stands where frame {sequence} is expected",
            header.sequence
        )),
        Some(header) => match header.payload(rest) {
            Some(payload) => Found::Frame {
                payload,
                end: start + header.frame_length(),
            },
            None => broken(bytes, start, Some(header), sequence),
        },
        None => broken(bytes, start, None, sequence),
    }
}

/// Tells a torn write from damage.
fn broken(bytes: &[u8], start: usize, header: Option<Header>, sequence: u64) -> Found<'static> {
    let rest = &bytes[start..];
    if let Some((offset, later)) = find_later(rest, sequence) {
        let at = start + offset;
        return Found::Damaged(format!(
            "frame {sequence} is broken, but frame {later} follows at byte {at}"
        ));
    }
    let Some(header) = header else {
        let whole = HEADER.min(rest.len());
        let torn = (rest.len() < HEADER && begins_a_header(rest, sequence))
            || has_hole(bytes, start, start + whole);
        return if torn {
            Found::Torn
        } else {
            damaged(sequence, "its header was changed")
        };
    };
    let length = header.frame_length();
    match rest.len() {
        left if left < length => Found::Torn,
        left if left > length => damaged(sequence, "more bytes follow it"),
        _ if has_hole(bytes, start, start + length) => Found::Torn,
        _ => damaged(sequence, "it was wholly written, and its checksum is wrong"),
    }
}

fn damaged(sequence: u64, why: &str) -> Found<'static> {
    Found::Damaged(format!("frame {sequence} is broken: {why}"))
}

#[derive(Clone, Copy)]
struct Header {
    length: usize,
    sequence: u64,
    checksum: u32,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Header> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        let whole = bytes[..4] == MARKER && crc32fast::hash(&bytes[..20]) == word(20);
        whole.then(|| Header {
            length: word(4) as usize,
            sequence: u64::from(word(8)) | u64::from(word(12)) << 32,
            checksum: word(16),
        })
    }

    fn frame_length(&self) -> usize {
        HEADER + self.length + 1
    }

    /// The payload, if all of it is there and as it was written.
    fn payload<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let frame = bytes.get(..self.frame_length())?;
        let (payload, end) = frame[HEADER..].split_at(self.length);
        let whole = end == [END] && crc32fast::hash(payload) == self.checksum;
        whole.then_some(payload)
    }
}

/// The first header of a later frame, with its place and sequence number.
fn find_later(bytes: &[u8], sequence: u64) -> Option<(usize, u64)> {
    let starts = bytes.windows(MARKER.len()).enumerate();
    starts
        .filter(|(_, window)| *window == MARKER)
        .find_map(|(at, _)| {
            let header = Header::read(&bytes[at..])?;
            (header.sequence > sequence).then_some((at, header.sequence))
        })
}

/// Whether a piece shorter than a header is the beginning of the header of
/// frame `sequence`, of whatever length.
fn begins_a_header(piece: &[u8], sequence: u64) -> bool {
    let same = |from: usize, expected: &[u8]| {
        piece
            .iter()
            .skip(from)
            .zip(expected)
            .all(|(byte, expected)| byte == expected)
    };
    same(0, &MARKER) && same(8, &sequence.to_le_bytes())
}

/// Whether some sector's share of `start..end` is all zeros.
fn has_hole(bytes: &[u8], start: usize, end: usize) -> bool {
    let mut at = start;
    while at < end {
        let next = ((at / SECTOR + 1) * SECTOR).min(end);
        if bytes[at..next].iter().all(|byte| *byte == 0) {
            return true;
        }
        at = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three frames behind each other, and where they begin and end.
    fn journal(length: usize) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (vec![7; 40], vec![40]);
        for sequence in 1..=3 {
            let payload: Vec<u8> = (0..length).map(|i| (i % 251) as u8 + 1).collect();
            bytes.extend(encode(sequence, &payload));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn is_damaged(found: &Found<'_>) -> bool {
        matches!(found, Found::Damaged(_))
    }

    #[test]
    fn frames_are_read_back_in_order() {
        let (bytes, ends) = journal(9);
        for sequence in 1..=3 {
            let found = next(&bytes, ends[sequence - 1], sequence as u64);
            assert!(matches!(found, Found::Frame { end, .. } if end == ends[sequence]));
        }
        assert_eq!(next(&bytes, ends[3], 4), Found::End);
    }

    #[test]
    fn the_last_frame_cut_at_any_byte_is_torn() {
        let (bytes, ends) = journal(2000);
        for cut in ends[2] + 1..ends[3] {
            assert_eq!(next(&bytes[..cut], ends[2], 3), Found::Torn, "cut at {cut}");
        }
    }

    #[test]
    fn the_last_frame_without_some_of_its_sectors_is_torn() {
        let (bytes, ends) = journal(2000);
        for sector in ends[2] / SECTOR..=(ends[3] - 1) / SECTOR {
            let mut torn = bytes.clone();
            let from = (sector * SECTOR).max(ends[2]);
            let to = ((sector + 1) * SECTOR).min(ends[3]);
            torn[from..to].fill(0);
            assert_eq!(next(&torn, ends[2], 3), Found::Torn, "sector {sector}");
        }
    }

    #[test]
    fn every_changed_bit_is_damage_in_whatever_frame() {
        let (bytes, ends) = journal(30);
        for bit in ends[0] * 8..ends[3] * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let hit = (0..3).find(|i| bit / 8 < ends[i + 1]).unwrap();
            let found = next(&changed, ends[hit], hit as u64 + 1);
            assert!(
                is_damaged(&found),
                "bit {bit} in frame {}: {found:?}",
                hit + 1
            );
        }
    }

    #[test]
    fn a_hole_before_a_later_frame_is_damage() {
        let (bytes, ends) = journal(2000);
        let mut damaged = bytes.clone();
        damaged[ends[1]..ends[2]].fill(0);
        assert!(is_damaged(&next(&damaged, ends[1], 2)));
        let cut = &damaged[..ends[2] + HEADER];
        assert!(
            is_damaged(&next(cut, ends[1], 2)),
            "its header alone proves it"
        );
    }

    #[test]
    fn foreign_bytes_at_the_end_are_damage() {
        let (mut bytes, ends) = journal(9);
        bytes.extend(b"hello");
        assert!(is_damaged(&next(&bytes, ends[3], 4)));
    }

    #[test]
    fn a_frame_in_anothers_place_is_damage() {
        let (bytes, ends) = journal(9);
        assert!(is_damaged(&next(&bytes, ends[1], 3)));
        assert!(is_damaged(&next(&bytes, ends[1], 1)));
    }
}
