//! A TensorBoard event file: records of `tensorflow.Event` in TFRecord framing.
//!
//! Formats: TensorFlow's `core/lib/io/record_writer.h` (framing, masked CRC), `core/util/event.proto` and
//! `core/framework/summary.proto` (field numbers).

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::files::{self, FileError, failed};

/// Name of the file; TensorBoard looks for `tfevents` in it.
pub(crate) const FILE_NAME: &str = "events.out.tfevents.era";

/// An event file that grows.
#[derive(Debug)]
pub(crate) struct EventFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl EventFile {
    /// Begins an empty file.
    pub(crate) fn create(path: &Path) -> Result<Self, FileError> {
        let file = File::create(path).map_err(failed("create", path))?;
        let mut events = Self {
            path: path.to_path_buf(),
            file,
            bytes: 0,
        };
        events.write(&version_event(now()))?;
        Ok(events)
    }

    /// Cuts the file back to `bytes` and goes on from there; none when it is shorter or not there.
    pub(crate) fn reopen(path: &Path, bytes: u64) -> Result<Option<Self>, FileError> {
        let mut file = match OpenOptions::new().write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", path)(error)),
        };
        if file.metadata().map_err(failed("read", path))?.len() < bytes {
            return Ok(None);
        }
        file.set_len(bytes).map_err(failed("truncate", path))?;
        files::boundary();
        file.seek(SeekFrom::End(0))
            .map_err(failed("seek in", path))?;
        Ok(Some(Self {
            path: path.to_path_buf(),
            file,
            bytes,
        }))
    }

    /// Writes scalars of one step.
    pub(crate) fn scalars(&mut self, step: u64, scalars: &[(&str, f64)]) -> Result<(), FileError> {
        self.write(&scalar_event(now(), step, scalars))
    }

    /// Length of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn write(&mut self, event: &[u8]) -> Result<(), FileError> {
        let record = frame(event);
        self.file
            .write_all(&record)
            .map_err(failed("write", &self.path))?;
        files::boundary();
        self.bytes += record.len() as u64;
        Ok(())
    }
}

/// Seconds since 1970: TensorBoard's axis "relative" needs them; nothing that is computed does.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

/// TFRecord framing: length, its checksum, data, their checksum.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_crc(data).to_le_bytes());
    record
}

/// CRC-32C, rotated and shifted so that a checksum over data that hold checksums stays useful (`lib/hash/crc32c.h`).
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// The first event of a file.
fn version_event(wall_time: f64) -> Vec<u8> {
    let mut event = Vec::new();
    put_double(&mut event, 1, wall_time);
    put_bytes(&mut event, 3, b"brain.Event:2");
    event
}

/// An event with one summary value for each scalar.
fn scalar_event(wall_time: f64, step: u64, scalars: &[(&str, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in scalars {
        let mut entry = Vec::new();
        put_bytes(&mut entry, 1, tag.as_bytes());
        put_key(&mut entry, 2, 5);
        // TensorBoard's scalars are 32-bit.
        entry.extend((*value as f32).to_le_bytes());
        put_bytes(&mut summary, 1, &entry);
    }
    let mut event = Vec::new();
    put_double(&mut event, 1, wall_time);
    put_key(&mut event, 2, 0);
    put_varint(&mut event, step);
    put_bytes(&mut event, 5, &summary);
    event
}

/// A field's number and wire type (0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes).
fn put_key(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    put_varint(out, field << 3 | wire_type);
}

fn put_double(out: &mut Vec<u8>, field: u64, value: f64) {
    put_key(out, field, 1);
    out.extend(value.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(out, field, 2);
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn checksums_are_crc_32c() {
        // RFC 3720, B.4: 32 bytes of zeros, of ones, ascending.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c::crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c::crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(
            masked_crc(&[0; 32]),
            0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8)
        );
    }

    #[test]
    fn bytes_are_those_of_the_protobuf() {
        // Field 1 (double), field 2 (varint 300), field 5 (summary: one value with tag "a" and 1.5f), written out by hand.
        let event = scalar_event(1.0, 300, &[("a", 1.5)]);
        let expected = [
            &[0x09][..],
            &1.0_f64.to_le_bytes(),
            &[0x10, 0xac, 0x02],
            &[0x2a, 0x0a, 0x0a, 0x08, 0x0a, 0x01, b'a', 0x15],
            &1.5_f32.to_le_bytes(),
        ]
        .concat();
        assert_eq!(event, expected);
    }

    /// The scalars in a file, read by a decoder that shares nothing with the encoder but the format.
    pub(crate) fn decode(mut bytes: &[u8]) -> Vec<(u64, String, f32)> {
        let mut scalars = Vec::new();
        let mut first = true;
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            let checksum = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            let unmask = |masked: u32| masked.wrapping_sub(0xa282_ead8).rotate_left(15);
            assert_eq!(unmask(checksum(8)), crc32c::crc32c(&bytes[..8]));
            let data = &bytes[12..12 + length];
            assert_eq!(unmask(checksum(12 + length)), crc32c::crc32c(data));
            let event = fields(data);
            if first {
                assert_eq!(event[1], (3, Value::Bytes(b"brain.Event:2".to_vec())));
            } else {
                let (2, Value::Varint(step)) = event[1] else {
                    panic!("no step")
                };
                let (5, Value::Bytes(summary)) = &event[2] else {
                    panic!("no summary")
                };
                for (_, value) in fields(summary) {
                    let Value::Bytes(value) = value else {
                        panic!("no value")
                    };
                    let [(1, Value::Bytes(tag)), (2, Value::Four(number))] = &fields(&value)[..]
                    else {
                        panic!()
                    };
                    scalars.push((
                        step,
                        String::from_utf8(tag.clone()).unwrap(),
                        f32::from_le_bytes(*number),
                    ));
                }
            }
            first = false;
            bytes = &bytes[16 + length..];
        }
        scalars
    }

    #[derive(Debug, PartialEq)]
    enum Value {
        Varint(u64),
        Eight([u8; 8]),
        Bytes(Vec<u8>),
        Four([u8; 4]),
    }

    fn fields(mut data: &[u8]) -> Vec<(u64, Value)> {
        fn varint(data: &mut &[u8]) -> u64 {
            let mut value = 0;
            for shift in (0..).step_by(7) {
                let byte = data[0];
                *data = &data[1..];
                value |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    break;
                }
            }
            value
        }
        fn take<'a>(data: &mut &'a [u8], count: usize) -> &'a [u8] {
            let (head, rest) = data.split_at(count);
            *data = rest;
            head
        }
        let mut fields = Vec::new();
        while !data.is_empty() {
            let key = varint(&mut data);
            let value = match key & 7 {
                0 => Value::Varint(varint(&mut data)),
                1 => Value::Eight(take(&mut data, 8).try_into().unwrap()),
                2 => {
                    let length = varint(&mut data) as usize;
                    Value::Bytes(take(&mut data, length).to_vec())
                }
                5 => Value::Four(take(&mut data, 4).try_into().unwrap()),
                other => panic!("wire type {other}"),
            };
            fields.push((key >> 3, value));
        }
        fields
    }

    #[test]
    fn a_file_that_was_cut_back_goes_on_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let mut events = EventFile::create(&path).unwrap();
        events.scalars(1, &[("a", 1.0), ("b", 2.0)]).unwrap();
        let length = events.bytes();
        events.scalars(2, &[("a", 3.0)]).unwrap();
        let mut again = EventFile::reopen(&path, length).unwrap().unwrap();
        again.scalars(1 << 40, &[("a", 4.0)]).unwrap();
        let scalars = decode(&std::fs::read(&path).unwrap());
        assert_eq!(
            scalars,
            [
                (1, "a".into(), 1.0),
                (1, "b".into(), 2.0),
                (1 << 40, "a".into(), 4.0)
            ]
        );
        assert!(
            EventFile::reopen(&path, again.bytes() + 1)
                .unwrap()
                .is_none(),
            "shorter than it should be"
        );
    }
}
