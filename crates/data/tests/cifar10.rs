//! CIFAR-10's files as they should be and as they should not.
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use std::fs;
use std::path::Path;

use era_data::{Images, Split, cifar10};
use tempfile::TempDir;

const RECORD: usize = 3073;

/// 10,000 records, each class in turn, whose red tells the number of the record.
fn batch() -> Vec<u8> {
    let mut bytes = vec![0; 10_000 * RECORD];
    for (number, record) in bytes.chunks_exact_mut(RECORD).enumerate() {
        record[0] = (number % 10) as u8;
        record[1..1025].fill((number % 251) as u8);
        record[1025..2049].fill(100);
        record[2049..].fill(200);
        record[1025 + 33] = 7;
    }
    bytes
}

fn write(dir: &Path, bytes: &[u8]) {
    fs::write(dir.join("test_batch.bin"), bytes).unwrap();
    fs::write(
        dir.join("batches.meta.txt"),
        format!("{}\n\n", cifar10::CLASSES.join("\n")),
    )
    .unwrap();
}

fn told(dir: &Path, split: Split) -> String {
    cifar10::open(dir, split).unwrap_err().to_string()
}

#[test]
fn files_are_read_and_faults_told() {
    let dir = TempDir::new().unwrap();
    let mut bytes = batch();
    write(dir.path(), &bytes);
    let set = cifar10::open(dir.path(), Split::Test).unwrap();
    assert_eq!(set.len(), 10_000);
    assert_eq!(set.label(4321), 1);
    let image = set.read(4321).unwrap();
    assert_eq!(image.shape().to_string(), "3x32x32");
    assert_eq!(image.pixels[..3], [(4321 % 251) as u8, 100, 200]);
    // Row 1, column 1.
    assert_eq!(image.pixels[3 * 33 + 1], 7);

    assert!(told(dir.path(), Split::Train).contains("data_batch_1.bin"));

    for number in 1..=5 {
        let link = dir.path().join(format!("data_batch_{number}.bin"));
        fs::hard_link(dir.path().join("test_batch.bin"), link).unwrap();
    }
    assert_eq!(
        cifar10::open(dir.path(), Split::Train).unwrap().len(),
        50_000
    );
    fs::remove_file(dir.path().join("data_batch_4.bin")).unwrap();
    assert!(told(dir.path(), Split::Train).contains("data_batch_4.bin"));

    bytes[RECORD * 12] = 10;
    write(dir.path(), &bytes);
    let text = told(dir.path(), Split::Test);
    assert!(
        text.ends_with("test_batch.bin: expected a label below 10 at byte 36876, found 10"),
        "{text}"
    );

    bytes[RECORD * 12] = 3;
    write(dir.path(), &bytes);
    let text = told(dir.path(), Split::Test);
    assert!(
        text.ends_with("it has 999 images of class bird instead of 1000"),
        "{text}"
    );

    bytes.pop();
    write(dir.path(), &bytes);
    let text = told(dir.path(), Split::Test);
    assert!(
        text.contains("expected 30730000 bytes (10000 records of 3073) at byte 0, found 30729999"),
        "{text}"
    );
}

#[test]
fn the_archive_has_to_be_unpacked() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("cifar-10-binary.tar.gz"), b"").unwrap();
    let text = told(dir.path(), Split::Train);
    assert!(
        text.contains("cifar-10-binary.tar.gz has to be unpacked"),
        "{text}"
    );
}

#[test]
fn other_classes_are_told() {
    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join("batches.meta.txt"),
        "aquatic_mammals\nfish\n",
    )
    .unwrap();
    let text = told(dir.path(), Split::Test);
    assert!(text.contains("expected airplane automobile"), "{text}");
    assert!(text.ends_with("found aquatic_mammals fish"), "{text}");
}
