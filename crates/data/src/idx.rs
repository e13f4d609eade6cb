//! The IDX format of MNIST and its successors, plain or compressed with gzip.
//!
//! A file is two zero bytes, the type of its elements (8: unsigned bytes, the only one read here), the number of
//! dimensions, every dimension as a big-endian u32, and the elements; nothing follows them. Images have three
//! dimensions (images, rows, columns), labels one.
//! Source: <http://yann.lecun.com/exdb/mnist/>, "The IDX file format".

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::{DataError, ImageShape, InMemory, Split};

/// Dimensions that a file may have: this crate reads images and labels.
const MOST_DIMENSIONS: usize = 3;

/// The contents of an IDX file of unsigned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// Its dimensions, the slowest first.
    pub shape: Vec<usize>,
    /// Its elements, the last dimension running fastest.
    pub data: Vec<u8>,
}

impl Idx {
    /// Reads a file; one whose name ends in `.gz` is decompressed.
    ///
    /// # Errors
    /// [`DataError::Io`] when it cannot be read or decompressed, [`DataError::Format`] when it is no IDX file of one to
    /// three dimensions, is cut off, or goes on after its elements.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let file = BufReader::new(File::open(path).map_err(DataError::io(path))?);
        if path.extension().is_some_and(|extension| extension == "gz") {
            Self::parse(path, MultiGzDecoder::new(file))
        } else {
            Self::parse(path, file)
        }
    }

    /// Reads a file's uncompressed contents.
    fn parse(path: &Path, mut source: impl Read) -> Result<Self, DataError> {
        let fault = |offset: u64, expected: String, found: String| DataError::Format {
            path: path.to_owned(),
            offset,
            expected,
            found,
        };
        let magic = take(path, &mut source, 4)?;
        match *magic.as_slice() {
            [0, 0, 8, dimensions] if (1..=MOST_DIMENSIONS).contains(&usize::from(dimensions)) => {}
            [_, _, _, _] => {
                return Err(fault(
                    0,
                    "00 00 08 and 1 to 3 dimensions".to_owned(),
                    format!("{magic:02x?}"),
                ));
            }
            _ => {
                let found = format!("the end after {} bytes", magic.len());
                return Err(fault(0, "4 bytes of magic number".to_owned(), found));
            }
        }
        let wanted = 4 * usize::from(magic[3]);
        let header = take(path, &mut source, wanted)?;
        if header.len() < wanted {
            return Err(fault(
                4,
                format!("{wanted} bytes of dimensions"),
                format!("the end after {}", header.len()),
            ));
        }
        let shape: Vec<usize> = header
            .chunks_exact(4)
            .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize)
            .collect();
        let start = 4 + wanted as u64;
        let Some(size) = shape.iter().try_fold(1_usize, |a, &b| a.checked_mul(b)) else {
            return Err(fault(
                4,
                "dimensions that fit in memory".to_owned(),
                format!("{shape:?}"),
            ));
        };
        let data = take(path, &mut source, size)?;
        if data.len() < size {
            return Err(fault(
                start,
                format!("{size} bytes of elements ({shape:?})"),
                format!("the end after {}", data.len()),
            ));
        }
        // Read to the end, where a compressed file has its checksum.
        if source.read(&mut [0]).map_err(DataError::io(path))? != 0 {
            return Err(fault(
                start + size as u64,
                "the end".to_owned(),
                "more bytes".to_owned(),
            ));
        }
        Ok(Self { shape, data })
    }

    /// The uncompressed contents of the file that this was read from.
    pub(crate) fn header(&self) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, u8::try_from(self.shape.len()).unwrap_or(u8::MAX)];
        for &dimension in &self.shape {
            bytes.extend(u32::try_from(dimension).unwrap_or(u32::MAX).to_be_bytes());
        }
        bytes
    }
}

/// The next `size` bytes, or fewer where the source ends before. The buffer grows with what is there, not with what a
/// header promises.
fn take(path: &Path, source: &mut impl Read, size: usize) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    match source.take(size as u64).read_to_end(&mut bytes) {
        // A compressed file that is cut off: told as an uncompressed one is, with the place.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(bytes),
        Err(error) => Err(DataError::io(path)(error)),
        Ok(_) => Ok(bytes),
    }
}

/// The file `name` in `dir`, plain or compressed.
pub(crate) fn file(dir: &Path, name: &str) -> PathBuf {
    let plain = dir.join(name);
    if plain.exists() {
        plain
    } else {
        dir.join(format!("{name}.gz"))
    }
}

/// The names of a split's files of images and of labels, as MNIST introduced them.
pub(crate) fn file_names(split: Split) -> [&'static str; 2] {
    match split {
        Split::Train => ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
        Split::Test => ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
    }
}

/// Opens a split of a data set with MNIST's file names (`train-images-idx3-ubyte`, with or without `.gz`, and so on) in
/// the folder `dir`: grey images of any one size, labelled with an index into `classes`.
///
/// # Errors
/// As [`Idx::read`]; [`DataError::Format`] too when the dimensions are not those of images and labels or a label has no
/// class, [`DataError::Layout`] when there are not as many labels as images.
pub fn open(dir: &Path, split: Split, classes: Vec<String>) -> Result<InMemory, DataError> {
    let [images, labels] = file_names(split).map(|name| file(dir, name));
    combine(
        &images,
        Idx::read(&images)?,
        &labels,
        Idx::read(&labels)?,
        classes,
    )
}

/// A data set from its files of images and of labels.
pub(crate) fn combine(
    images_path: &Path,
    images: Idx,
    labels_path: &Path,
    labels: Idx,
    classes: Vec<String>,
) -> Result<InMemory, DataError> {
    let dimensions = |path: &Path, idx: &Idx, expected: usize| {
        if idx.shape.len() == expected && idx.shape[1..].iter().all(|&size| size > 0) {
            return Ok(());
        }
        Err(DataError::Format {
            path: path.to_owned(),
            offset: 3,
            expected: format!("{expected} dimensions, of which only the first may be 0"),
            found: format!("{:?}", idx.shape),
        })
    };
    dimensions(images_path, &images, 3)?;
    dimensions(labels_path, &labels, 1)?;
    if images.shape[0] != labels.shape[0] {
        return Err(DataError::layout(
            labels_path,
            format!(
                "it has {} labels, {} has {} images",
                labels.shape[0],
                images_path.display(),
                images.shape[0]
            ),
        ));
    }
    if let Some(at) = labels
        .data
        .iter()
        .position(|&label| usize::from(label) >= classes.len())
    {
        return Err(DataError::Format {
            path: labels_path.to_owned(),
            offset: 8 + at as u64,
            expected: format!("a label below {}", classes.len()),
            found: labels.data[at].to_string(),
        });
    }
    let shape = ImageShape {
        channels: 1,
        height: images.shape[1],
        width: images.shape[2],
    };
    InMemory::new(shape, classes, labels.data, images.data)
}
