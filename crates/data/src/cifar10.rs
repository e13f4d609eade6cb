//! CIFAR-10: 50,000 + 10,000 colour images of things and animals, 32x32, ten classes (Krizhevsky, 2009).
//!
//! Read is the "binary version (suitable for C programs)" from <https://www.cs.toronto.edu/~kriz/cifar.html>, unpacked.
//! There is a published digest of the archive only, so the files are held to what the page says of them: 10,000 records
//! of one label and 3,072 bytes (red, green, blue, each row by row) a file, equally many images of every class in the
//! training files together and in the test file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::image::names;
use crate::{DataError, ImageShape, InMemory, Split, place};

/// The classes by label, as `batches.meta.txt` names them.
pub const CLASSES: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

/// The archive that holds the files.
const ARCHIVE: &str = "cifar-10-binary.tar.gz";

/// Its published MD5, for who unpacks it.
const ARCHIVE_MD5: &str = "c32a1d4ab5d03f1284b67883e8d87530";

const SHAPE: ImageShape = ImageShape {
    channels: 3,
    height: 32,
    width: 32,
};

/// Pixels of a channel.
const PLANE: usize = 32 * 32;

/// Bytes of a record: a label and three channels.
const RECORD: usize = 1 + 3 * PLANE;

/// Records of a file.
const RECORDS: usize = 10_000;

/// The folder that holds the data set: `cifar-10-batches-bin`, as the archive unpacks, or `cifar10` in
/// [`data_dir`](crate::data_dir).
///
/// # Errors
/// [`DataError::Missing`] when its files are in neither.
pub fn locate() -> Result<PathBuf, DataError> {
    let root = place::data_dir();
    let places = ["cifar-10-batches-bin", "cifar10"].map(|name| root.join(name));
    let archive = std::iter::once(&root)
        .chain(&places)
        .map(|place| place.join(ARCHIVE))
        .find(|path| path.exists());
    let remedy = match archive {
        Some(path) => format!(
            "{} has to be unpacked (`tar -xzf`; its MD5 is {ARCHIVE_MD5})",
            path.display()
        ),
        None => format!(
            "unpack {ARCHIVE} there, the binary version from https://www.cs.toronto.edu/~kriz/cifar.html \
             (MD5 {ARCHIVE_MD5})"
        ),
    };
    place::first_with(
        "CIFAR-10",
        &remedy,
        places.into(),
        &["data_batch_1.bin", "test_batch.bin"],
    )
}

/// Opens a split in the folder `dir`.
///
/// # Errors
/// [`DataError::Io`] when a file cannot be read, [`DataError::Format`] when one has another size, a label above 9 or
/// another class's name, [`DataError::Layout`] when the classes are not equally frequent or only the archive is there.
pub fn open(dir: &Path, split: Split) -> Result<InMemory, DataError> {
    let files: &[&str] = match split {
        Split::Train => &[
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
        ],
        Split::Test => &["test_batch.bin"],
    };
    if !dir.join(files[0]).exists() && dir.join(ARCHIVE).exists() {
        return Err(DataError::layout(
            dir,
            format!("{ARCHIVE} has to be unpacked (`tar -xzf`; its MD5 is {ARCHIVE_MD5})"),
        ));
    }
    check_names(&dir.join("batches.meta.txt"))?;
    let mut labels = Vec::with_capacity(files.len() * RECORDS);
    let mut pixels = Vec::with_capacity(files.len() * RECORDS * 3 * PLANE);
    for file in files {
        read_batch(&dir.join(file), &mut labels, &mut pixels)?;
    }
    check_counts(dir, &labels)?;
    InMemory::new(SHAPE, names(&CLASSES), labels, pixels)
}

/// Appends a file's labels, and its pixels with the channels side by side.
fn read_batch(path: &Path, labels: &mut Vec<u8>, pixels: &mut Vec<u8>) -> Result<(), DataError> {
    let size = fs::metadata(path).map_err(DataError::io(path))?.len();
    let fault = |offset: usize, expected: String, found: String| DataError::Format {
        path: path.to_owned(),
        offset: offset as u64,
        expected,
        found,
    };
    let wanted = RECORDS * RECORD;
    if size != wanted as u64 {
        return Err(fault(
            0,
            format!("{wanted} bytes ({RECORDS} records of {RECORD})"),
            size.to_string(),
        ));
    }
    let bytes = fs::read(path).map_err(DataError::io(path))?;
    for (number, record) in bytes.chunks_exact(RECORD).enumerate() {
        if usize::from(record[0]) >= CLASSES.len() {
            return Err(fault(
                number * RECORD,
                format!("a label below {}", CLASSES.len()),
                record[0].to_string(),
            ));
        }
        labels.push(record[0]);
        let (red, rest) = record[1..].split_at(PLANE);
        let (green, blue) = rest.split_at(PLANE);
        for ((red, green), blue) in red.iter().zip(green).zip(blue) {
            pixels.extend([red, green, blue]);
        }
    }
    Ok(())
}

/// Whether the classes are named in the order of [`CLASSES`].
fn check_names(path: &Path) -> Result<(), DataError> {
    let text = fs::read_to_string(path).map_err(DataError::io(path))?;
    // The file ends with an empty line.
    let found: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if found == CLASSES {
        return Ok(());
    }
    Err(DataError::Format {
        path: path.to_owned(),
        offset: 0,
        expected: CLASSES.join(" "),
        found: found.join(" "),
    })
}

/// Whether every class has the same number of images.
fn check_counts(dir: &Path, labels: &[u8]) -> Result<(), DataError> {
    let wanted = labels.len() / CLASSES.len();
    for (label, class) in (0_u8..).zip(CLASSES) {
        let count = labels.iter().filter(|&&other| other == label).count();
        if count != wanted {
            return Err(DataError::layout(
                dir,
                format!("it has {count} images of class {class} instead of {wanted}"),
            ));
        }
    }
    Ok(())
}
