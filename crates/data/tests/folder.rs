//! Folders of images as they should be and as they should not.
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use era_data::{Folder, Images, Loader, Normalise, Pipeline, Split};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A smooth image of odd size.
fn picture(number: u32) -> DynamicImage {
    let (width, height) = (7 + number * 5 % 60, 5 + number * 7 % 50);
    let image = RgbImage::from_fn(width, height, |x, y| {
        Rgb([(3 * x) as u8, (4 * y) as u8, (number % 256) as u8])
    });
    let image = DynamicImage::from(image);
    match number % 4 {
        0 => DynamicImage::from(image.into_luma8()),
        1 => DynamicImage::from(image.into_luma_alpha8()),
        2 => DynamicImage::from(image.into_rgba8()),
        _ => image,
    }
}

fn save(path: &Path, number: u32) {
    let png = path.extension().is_some_and(|ending| ending == "png");
    let image = match (png, number % 4) {
        (true, _) | (false, 0 | 3) => picture(number),
        (false, _) => DynamicImage::from(picture(number).into_rgb8()),
    };
    let format = if png {
        ImageFormat::Png
    } else {
        ImageFormat::Jpeg
    };
    image.save_with_format(path, format).unwrap();
}

/// 300 images of three classes to train on, 30 to evaluate on, and files that are none.
fn sound() -> TempDir {
    let root = TempDir::new().unwrap();
    for (split, count) in [("train", 100), ("val", 10)] {
        for (class, name) in ["n01", "n02", "n10"].iter().enumerate() {
            let dir = root.path().join(split).join(name);
            fs::create_dir_all(&dir).unwrap();
            for number in 0..count {
                let ending = ["jpg", "JPEG", "png"][number as usize % 3];
                save(
                    &dir.join(format!("{number:03}.{ending}")),
                    100 * class as u32 + number,
                );
            }
        }
        fs::write(root.path().join(split).join("readme.txt"), "").unwrap();
        fs::write(root.path().join(split).join("n02/.DS_Store"), "").unwrap();
        fs::write(root.path().join(split).join("n02/._001.jpg"), "").unwrap();
    }
    root
}

fn told(root: &Path, split: Split) -> String {
    Folder::open(root, split).unwrap_err().to_string()
}

#[test]
fn images_are_listed_in_order_and_read() {
    let root = sound();
    let set = Folder::open(root.path(), Split::Train).unwrap();
    assert_eq!(set.len(), 300);
    assert_eq!(set.classes(), ["n01", "n02", "n10"]);
    assert_eq!(set.counts(), [100, 100, 100]);
    assert_eq!(set.ignored(), 3);
    assert_eq!(set.shape(), None);
    assert_eq!(
        [0, 99, 100, 199, 200, 299].map(|index| set.label(index)),
        [0, 0, 1, 1, 2, 2]
    );
    assert!(set.path(101).ends_with("train/n02/001.JPEG"));
    for index in 0..300 {
        let image = set.read(index).unwrap();
        let expected = picture(index as u32).into_rgb8();
        assert_eq!(
            (image.width as u32, image.height as u32),
            expected.dimensions()
        );
        assert_eq!(image.channels, 3);
        let worst = image
            .pixels
            .iter()
            .zip(expected.as_raw())
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        let tolerance = if index % 100 % 3 == 2 { 0 } else { 60 };
        assert!(worst <= Some(tolerance), "{index}: {worst:?}");
    }
    assert_eq!(Folder::open(root.path(), Split::Test).unwrap().len(), 30);
}

#[test]
fn images_of_any_size_make_batches() {
    let root = sound();
    let set = Arc::new(Folder::open(root.path(), Split::Test).unwrap());
    let pipeline = Pipeline::center(24, Normalise::imagenet());
    let batches: Vec<_> = Loader::eval(set, pipeline, 16, 2)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(batches.len(), 2);
    assert_eq!(batches[1].images.len(), 14 * 3 * 24 * 24);
    assert_eq!(
        batches[1].labels,
        [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    );
}

#[test]
fn the_manifest_follows_names_and_sizes() {
    let root = sound();
    let manifest = || {
        Folder::open(root.path(), Split::Test)
            .unwrap()
            .manifest()
            .unwrap()
    };
    let before = manifest();
    assert_eq!(before.files, 30);
    assert_eq!(before, manifest());
    let class = root.path().join("val/n10");
    fs::rename(class.join("001.JPEG"), class.join("001.jpeg")).unwrap();
    let renamed = manifest();
    assert_eq!((renamed.files, renamed.bytes), (before.files, before.bytes));
    assert_ne!(renamed.hash, before.hash);
    fs::rename(class.join("001.jpeg"), class.join("001.JPEG")).unwrap();
    assert_eq!(manifest(), before);
    fs::write(class.join("001.JPEG"), b"shorter").unwrap();
    assert_ne!(manifest().hash, before.hash);
}

#[test]
fn test_is_read_where_there_is_no_val() {
    let root = sound();
    fs::rename(root.path().join("val"), root.path().join("test")).unwrap();
    let set = Folder::open(root.path(), Split::Test).unwrap();
    assert!(set.path(0).ends_with("test/n01/000.jpg"));
}

#[test]
fn faults_of_the_layout_are_told() {
    let root = sound();
    let class = root.path().join("val/n02");
    fs::create_dir(class.join("more")).unwrap();
    assert!(
        told(root.path(), Split::Test)
            .ends_with("val/n02/more as a data set: a class holds images and no folders")
    );
    fs::remove_dir(class.join("more")).unwrap();

    fs::create_dir(root.path().join("train/n03")).unwrap();
    fs::write(root.path().join("train/n03/a.gif"), "").unwrap();
    let text = told(root.path(), Split::Test);
    assert!(
        text.contains("val as a data set: it lacks the class n03 of "),
        "{text}"
    );
    let text = told(root.path(), Split::Train);
    assert!(
        text.contains("val as a data set: it lacks the class n03"),
        "{text}"
    );
    fs::create_dir(root.path().join("val/n03")).unwrap();
    let text = told(root.path(), Split::Train);
    assert!(
        text.ends_with("train/n03 as a data set: the class has no images among its 1 files"),
        "{text}"
    );

    let empty = TempDir::new().unwrap();
    assert!(told(empty.path(), Split::Train).ends_with("train"));
    fs::create_dir(empty.path().join("train")).unwrap();
    assert!(told(empty.path(), Split::Train).ends_with("it has no folders of classes"));
}

#[test]
fn broken_files_are_named_as_they_are_read() {
    let root = TempDir::new().unwrap();
    let class = root.path().join("train/a");
    fs::create_dir_all(&class).unwrap();
    let jpeg = fs::read(fixture("progressive.jpg")).unwrap();
    let png = fs::read(fixture("cmyk.png")).unwrap();
    let mut flipped = png.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let files: [(&str, &[u8]); 7] = [
        ("empty.jpg", b""),
        ("flipped.png", &flipped),
        ("gif.jpg", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"),
        ("half.jpg", &jpeg[..jpeg.len() / 2]),
        ("half.png", &png[..png.len() / 2]),
        ("short.jpg", &jpeg[..jpeg.len() - 2]),
        ("text.png", b"not an image"),
    ];
    for (name, bytes) in files {
        fs::write(class.join(name), bytes).unwrap();
    }
    let set = Folder::open(root.path(), Split::Train).unwrap();
    for (index, (name, _)) in files.iter().enumerate() {
        let text = set.read(index).unwrap_err().to_string();
        assert!(text.starts_with("decode ") && text.contains(name), "{text}");
    }
    // Cut anywhere, a JPEG is an error and not a grey image.
    for end in 0..jpeg.len() - 1 {
        fs::write(class.join("empty.jpg"), &jpeg[..end]).unwrap();
        assert!(set.read(0).is_err(), "{end}");
    }
    fs::remove_file(class.join("text.png")).unwrap();
    assert!(set.read(6).unwrap_err().to_string().starts_with("read "));
}

/// A class with one image, named as it likes.
fn alone(name: &str, bytes: &[u8]) -> era_data::Image {
    let root = TempDir::new().unwrap();
    fs::create_dir_all(root.path().join("train/a")).unwrap();
    fs::write(root.path().join("train/a").join(name), bytes).unwrap();
    Folder::open(root.path(), Split::Train)
        .unwrap()
        .read(0)
        .unwrap()
}

#[test]
fn jpegs_of_every_colour_space_are_what_pillow_reads() {
    for name in ["grey", "progressive", "cmyk", "ycck"] {
        let found = alone("a.jpg", &fs::read(fixture(&format!("{name}.jpg"))).unwrap());
        let expected = image::open(fixture(&format!("{name}.png")))
            .unwrap()
            .into_rgb8();
        assert_eq!((found.width, found.height), (40, 24));
        let worst = found
            .pixels
            .iter()
            .zip(expected.as_raw())
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        // Two inverse cosine transforms and conversions.
        assert!(worst <= Some(4), "{name}: {worst:?}");
    }
}

#[test]
fn files_are_what_they_hold_and_not_what_they_are_named() {
    let png = fs::read(fixture("cmyk.png")).unwrap();
    assert_eq!(alone("a.JPEG", &png), alone("a.png", &png));
    // Bytes behind the end are of no matter.
    let jpeg = fs::read(fixture("grey.jpg")).unwrap();
    assert_eq!(
        alone("a.jpg", &jpeg),
        alone("a.jpg", &[jpeg.clone(), vec![0; 100]].concat())
    );
}
