//! Sealed rows: `metrics.parquet` and `timings.parquet` of a finished run.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::RowAccessor;
use parquet::schema::parser::parse_message_type;

use crate::files::{self, FileError, failed};
use crate::record::Row;
use crate::run::rows;

/// Name of the sealed metrics in a run's folder.
pub const METRICS: &str = "metrics.parquet";
/// Name of the sealed timings in a run's folder.
pub const TIMINGS: &str = "timings.parquet";

const SCHEMA: &str = "message rows {
    required int64 step (INTEGER(64, false));
    required binary metric (STRING);
    required int32 index (INTEGER(32, false));
    required double value;
}";

/// The key under which a file carries the hash of its rows.
const HASH_KEY: &str = "era.rows_hash";

/// What a sealed file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Number of rows.
    pub rows: u64,
    /// BLAKE3 of the rows in their canonical encoding.
    pub hash: String,
}

/// The seal of these rows.
pub fn seal(rows: &[Row]) -> Seal {
    Seal {
        rows: rows.len() as u64,
        hash: rows::hash(rows).hash(),
    }
}

/// Writes rows in their order: columns `step` (u64), `metric` (text), `index` (u32), `value` (f64), zstd. The same rows
/// give the same bytes.
pub(crate) fn write(path: &Path, rows: &[Row]) -> Result<Seal, FileError> {
    let seal = seal(rows);
    // In memory first: a run has some megabytes of rows, and so every error of the disk is one of `write_whole`.
    let bytes =
        encode(rows, &seal).map_err(|error| failed("write", path)(std::io::Error::other(error)))?;
    files::write_whole(path, &bytes)?;
    Ok(seal)
}

fn encode(rows: &[Row], seal: &Seal) -> ParquetResult<Vec<u8>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(9)?))
        .set_created_by("era-harness".into())
        .set_key_value_metadata(Some(vec![KeyValue::new(
            HASH_KEY.into(),
            seal.hash.clone(),
        )]))
        .build();
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(
        &mut bytes,
        Arc::new(parse_message_type(SCHEMA)?),
        Arc::new(properties),
    )?;
    let mut group = file.next_row_group()?;
    let steps: Vec<i64> = rows.iter().map(|row| row.step.cast_signed()).collect();
    let metrics: Vec<ByteArray> = rows.iter().map(|row| row.metric.as_str().into()).collect();
    let indices: Vec<i32> = rows.iter().map(|row| row.index.cast_signed()).collect();
    let values: Vec<f64> = rows.iter().map(|row| row.value).collect();
    write_column::<Int64Type>(&mut group, &steps)?;
    write_column::<ByteArrayType>(&mut group, &metrics)?;
    write_column::<Int32Type>(&mut group, &indices)?;
    write_column::<DoubleType>(&mut group, &values)?;
    group.close()?;
    file.close()?;
    Ok(bytes)
}

fn write_column<T: parquet::data_type::DataType>(
    group: &mut parquet::file::writer::SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: &[T::T],
) -> ParquetResult<()> {
    let mut column = group.next_column()?.ok_or_else(|| {
        ParquetError::General("the schema has fewer columns than are written".into())
    })?;
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

/// A sealed file could not be read. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The operating system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not whole, or not what this program writes.
    #[error("read {path}: {reason}")]
    Damaged {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What the file says of itself, from its last bytes; the rows are not looked at.
///
/// # Errors
/// The file cannot be read or is damaged.
pub fn read_seal(path: &Path) -> Result<Seal, SealError> {
    let reader = open(path)?;
    let metadata = reader.metadata().file_metadata();
    let hash = metadata
        .key_value_metadata()
        .into_iter()
        .flatten()
        .find(|entry| entry.key == HASH_KEY)
        .and_then(|entry| entry.value.clone())
        .ok_or_else(|| damaged(path, &"it carries no hash of its rows"))?;
    Ok(Seal {
        rows: metadata.num_rows().cast_unsigned(),
        hash,
    })
}

/// All rows in their order.
///
/// # Errors
/// The file cannot be read or is damaged; the rows are not held against their hash ([`seal`] does that).
pub fn read(path: &Path) -> Result<Vec<Row>, SealError> {
    let reader = open(path)?;
    let wrong = |error: ParquetError| damaged(path, &error);
    let mut rows = Vec::new();
    for record in reader.get_row_iter(None).map_err(wrong)? {
        let record = record.map_err(wrong)?;
        rows.push(Row {
            step: record.get_ulong(0).map_err(wrong)?,
            metric: record.get_string(1).map_err(wrong)?.clone(),
            index: record.get_uint(2).map_err(wrong)?,
            value: record.get_double(3).map_err(wrong)?,
        });
    }
    Ok(rows)
}

fn open(path: &Path) -> Result<SerializedFileReader<std::fs::File>, SealError> {
    let file = std::fs::File::open(path).map_err(failed("open", path))?;
    SerializedFileReader::new(file).map_err(|error| damaged(path, &error))
}

fn damaged(path: &Path, reason: &dyn ToString) -> SealError {
    SealError::Damaged {
        path: path.to_path_buf(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some_rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (any::<u64>(), "[a-z/]{1,8}", any::<u32>(), any::<u64>());
        let row = row.prop_map(|(step, metric, index, bits)| Row {
            step,
            metric,
            index,
            value: f64::from_bits(bits),
        });
        proptest::collection::vec(
            row.prop_filter("finite", |row| row.value.is_finite()),
            0..50,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn rows_come_back_bit_for_bit(rows in some_rows()) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(METRICS);
            let written = write(&path, &rows).unwrap();
            prop_assert_eq!(&read_seal(&path).unwrap(), &written);
            let back = read(&path).unwrap();
            prop_assert_eq!(seal(&back), written);
            prop_assert_eq!(back, rows);
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        let rows: Vec<Row> = (0..100)
            .map(|step| Row {
                step,
                metric: "loss".into(),
                index: 0,
                value: step as f64 / 3.0,
            })
            .collect();
        write(&path, &rows).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(
                matches!(read_seal(&path), Err(SealError::Damaged { .. })),
                "cut to {length} of {}",
                whole.len()
            );
        }
    }
}
