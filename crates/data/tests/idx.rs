//! IDX files as they should be and as they should not.
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;

use era_data::{DataError, Images, Split, fashion_mnist, idx};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

/// The header of a file.
fn header(dimensions: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    for dimension in dimensions {
        bytes.extend(dimension.to_be_bytes());
    }
    bytes
}

/// Three images of 2x4 and their labels.
fn good() -> [Vec<u8>; 2] {
    let mut images = header(&[3, 2, 4]);
    images.extend(0..24);
    let mut labels = header(&[3]);
    labels.extend([2, 0, 1]);
    [images, labels]
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn classes() -> Vec<String> {
    ["a", "b", "c"].map(str::to_owned).to_vec()
}

/// Opens a training split with these files.
fn open(images: &[u8], labels: &[u8], suffix: &str) -> Result<era_data::InMemory, DataError> {
    let dir = TempDir::new().unwrap();
    write(dir.path(), images, labels, suffix);
    idx::open(dir.path(), Split::Train, classes())
}

fn write(dir: &Path, images: &[u8], labels: &[u8], suffix: &str) {
    fs::write(dir.join(format!("train-images-idx3-ubyte{suffix}")), images).unwrap();
    fs::write(dir.join(format!("train-labels-idx1-ubyte{suffix}")), labels).unwrap();
}

/// The message of an error and what caused it, without the folder.
fn told<T>(result: Result<T, DataError>) -> String {
    let Err(error) = result else {
        panic!("this was read");
    };
    let mut text = error.to_string();
    if let Some(cause) = error.source() {
        text = format!("{text}: {cause}");
    }
    let name = text.find("t10k").or(text.find("train-")).unwrap_or(0);
    text[name..].to_owned()
}

#[test]
fn plain_and_compressed_files_are_read() {
    let [images, labels] = good();
    let plain = open(&images, &labels, "").unwrap();
    let compressed = open(&gz(&images), &gz(&labels), ".gz").unwrap();
    assert_eq!(plain, compressed);
    assert_eq!(plain.len(), 3);
    assert_eq!(
        (0..3).map(|i| plain.label(i)).collect::<Vec<_>>(),
        [2, 0, 1]
    );
    let image = plain.read(1).unwrap();
    assert_eq!((image.channels, image.height, image.width), (1, 2, 4));
    assert_eq!(image.pixels, (8..16).collect::<Vec<u8>>());
}

#[test]
fn faults_are_told_with_file_and_place() {
    let [images, labels] = good();
    let with = |at: usize, byte: u8| {
        let mut changed = images.clone();
        changed[at] = byte;
        changed
    };
    let told_of = |images: &[u8]| told(open(images, &labels, ""));
    assert_eq!(
        told_of(&with(2, 13)),
        "train-images-idx3-ubyte: expected 00 00 08 and 1 to 3 dimensions at byte 0, found [00, 00, 0d, 03]"
    );
    assert!(told_of(&with(0, 31)).contains("found [1f, 00, 08, 03]"));
    assert!(told_of(&with(3, 4)).contains("found [00, 00, 08, 04]"));
    assert!(told_of(&with(3, 0)).contains("found [00, 00, 08, 00]"));
    assert!(told_of(&[]).contains("found the end after 0 bytes"));
    assert_eq!(
        told_of(&images[..9]),
        "train-images-idx3-ubyte: expected 12 bytes of dimensions at byte 4, found the end after 5"
    );
    assert_eq!(
        told_of(&images[..39]),
        "train-images-idx3-ubyte: expected 24 bytes of elements ([3, 2, 4]) at byte 16, found the end after 23"
    );
    assert_eq!(
        told_of(&[images.clone(), vec![0]].concat()),
        "train-images-idx3-ubyte: expected the end at byte 40, found more bytes"
    );
    assert!(told_of(&labels).contains("expected 3 dimensions"));
    assert!(told_of(&header(&[3, 0, 4])).contains("found [3, 0, 4]"));
}

#[test]
fn a_header_that_promises_too_much_takes_no_memory() {
    let [_, labels] = good();
    let huge = told(open(&header(&[u32::MAX; 3]), &labels, ""));
    assert!(
        huge.contains("expected dimensions that fit in memory"),
        "{huge}"
    );
    let large = told(open(&header(&[u32::MAX, 1 << 15, 1 << 15]), &labels, ""));
    assert!(large.contains("found the end after 0"), "{large}");
}

#[test]
fn compressed_files_that_are_cut_off_or_corrupt_are_told() {
    let [images, labels] = good();
    let whole = gz(&images);
    for end in 0..whole.len() {
        let text = told(open(&whole[..end], &gz(&labels), ".gz"));
        assert!(
            text.starts_with("train-images-idx3-ubyte.gz"),
            "{end}: {text}"
        );
    }
    // The last bytes are a checksum and the length.
    for at in whole.len() - 8..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        let text = told(open(&changed, &gz(&labels), ".gz"));
        assert!(text.contains("corrupt gzip stream"), "{at}: {text}");
    }
    let trailing = [whole, vec![0; 3]].concat();
    assert!(!told(open(&trailing, &gz(&labels), ".gz")).is_empty());
}

#[test]
fn labels_have_to_fit_images_and_classes() {
    let [images, mut labels] = good();
    labels[9] = 3;
    assert_eq!(
        told(open(&images, &labels, "")),
        "train-labels-idx1-ubyte: expected a label below 3 at byte 9, found 3"
    );
    let mut fewer = header(&[2]);
    fewer.extend([0, 1]);
    let text = told(open(&images, &fewer, ""));
    assert!(text.contains("as a data set: it has 2 labels,"), "{text}");
    assert!(text.ends_with("has 3 images"), "{text}");
}

#[test]
fn a_missing_file_is_named() {
    let dir = TempDir::new().unwrap();
    let text = told(idx::open(dir.path(), Split::Test, classes()));
    assert!(text.starts_with("t10k-images-idx3-ubyte.gz"), "{text}");
}

#[test]
fn fashion_mnist_is_the_published_one() {
    let dir = TempDir::new().unwrap();
    let [images, labels] = good();
    write(dir.path(), &images, &labels, "");
    let text = told(fashion_mnist::open(dir.path(), Split::Train));
    assert!(
        text.contains(
            "published is c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "{text}"
    );
}

/// Where the data set is there, it is what it should be.
#[test]
fn fashion_mnist_is_read_where_it_is() {
    let Ok(dir) = fashion_mnist::locate() else {
        eprintln!("left out: Fashion-MNIST is not here");
        return;
    };
    for (split, count) in [(Split::Train, 60_000), (Split::Test, 10_000)] {
        let set = fashion_mnist::open(&dir, split).unwrap();
        assert_eq!(set.len(), count);
        assert_eq!(set.shape().unwrap().to_string(), "1x28x28");
        let mut counts = [0; 10];
        for index in 0..count {
            counts[set.label(index)] += 1;
        }
        assert_eq!(counts, [count / 10; 10]);
    }
}
