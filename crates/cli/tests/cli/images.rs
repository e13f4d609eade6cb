//! A user's own folder of images, from the files to the record.

use std::fs;
use std::path::Path;

use crate::support::{Folder, run_json};

/// Two epochs on images of any size.
const OWN: &str = "
suite: vision
about: my own images
matrix: {task: image-folder, method: [cross-entropy, era], seed: 1}
params: {arch: resnet-8, crop: resized, image_size: 16, epochs: 2, batch_size: 4, warmup_epochs: 0, rand_augment_ops: 1}
scales: {smoke: {}}
";

/// Grey and in colour, CMYK, progressive, PNG: six of each of two classes to train on, three to test on.
const IMAGES: [[&str; 3]; 2] = [
    ["grey.jpg", "cmyk.jpg", "whole-50x41.png"],
    ["progressive.jpg", "ycck.jpg", "part-16x16.png"],
];

fn with_images() -> Folder {
    let folder = Folder::with(OWN);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/tests/fixtures");
    for (class, files) in ["round", "square"].into_iter().zip(IMAGES) {
        for (split, copies) in [("train", 2), ("val", 1)] {
            let dir = folder.path(&format!("data/image-folder/{split}/{class}"));
            fs::create_dir_all(&dir).unwrap();
            for (copy, file) in (0..copies).flat_map(|copy| files.map(|file| (copy, file))) {
                fs::copy(fixtures.join(file), dir.join(format!("{copy}-{file}"))).unwrap();
            }
        }
    }
    folder
}

#[test]
fn they_are_trained_on_whatever_their_form() {
    let folder = with_images();
    let ended = folder.reproduce("");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(folder.stored().len(), 2);
    assert!(ended.out.contains("image-folder"), "{}", ended.out);
}

#[test]
fn other_images_make_other_cells() {
    let folder = with_images();
    let names = || folder.reproduce("--list").out;
    let before = names();
    assert_eq!(names(), before);
    let train = folder.path("data/image-folder/train/round");
    fs::copy(train.join("0-grey.jpg"), train.join("2-grey.jpg")).unwrap();
    assert_ne!(names(), before);
}

#[test]
fn a_broken_image_fails_the_cell_with_its_name() {
    let folder = with_images();
    let broken = folder.path("data/image-folder/train/square/0-progressive.jpg");
    let bytes = fs::read(&broken).unwrap();
    fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    let ended = folder.reproduce("--only method=era");
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert!(ended.err.contains("0-progressive.jpg"), "{}", ended.err);
    let run = run_json(&folder.cell("era")).to_string();
    assert!(run.contains("0-progressive.jpg"), "{run}");
}

#[test]
fn without_them_one_is_told_before_anything_runs() {
    let folder = Folder::with(OWN);
    assert_eq!(folder.era("needs --suite mock").out, "image-folder\n");
    let ended = folder.reproduce("");
    assert_eq!(ended.code, Some(5), "{}", ended.err);
    assert!(
        ended.err.contains("cargo xtask setup image-folder"),
        "{}",
        ended.err
    );
    assert!(folder.cells().is_empty());
}
