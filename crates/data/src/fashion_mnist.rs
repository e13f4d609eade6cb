//! Fashion-MNIST: 60,000 + 10,000 grey images of clothes, 28x28, ten classes (Xiao, Rasul, Vollgraf, 2017).

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::idx::{self, Idx};
use crate::image::names;
use crate::{DataError, InMemory, Split, place};

/// The classes by label, as the data set's page names them.
pub const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Where Debian's package `dataset-fashion-mnist` puts the files.
const DEBIAN: &str = "/usr/share/datasets/fashion-mnist";

/// The folder that holds the data set: `fashion-mnist` in [`data_dir`](crate::data_dir), else where Debian's package
/// puts it.
///
/// # Errors
/// [`DataError::Missing`] when its files are in neither.
pub fn locate() -> Result<PathBuf, DataError> {
    let [images, _] = idx::file_names(Split::Train);
    place::first_with(
        "Fashion-MNIST",
        "`cargo xtask setup fashion-mnist` brings it",
        vec![place::data_dir().join("fashion-mnist"), DEBIAN.into()],
        &[images, &format!("{images}.gz")],
    )
}

/// Opens a split in the folder `dir`. What the files hold has to be what was published, to the bit.
///
/// # Errors
/// [`DataError::Io`], [`DataError::Format`] and [`DataError::Layout`] as [`idx::open`], [`DataError::Checksum`] when a
/// file is sound but holds something else.
pub fn open(dir: &Path, split: Split) -> Result<InMemory, DataError> {
    let [images, labels] = idx::file_names(split).map(|name| idx::file(dir, name));
    let [of_images, of_labels] = digests(split);
    let read = |path: &Path, digest: &str| {
        let idx = Idx::read(path)?;
        verify(path, &idx, digest)?;
        Ok(idx)
    };
    let contents = (read(&images, of_images)?, read(&labels, of_labels)?);
    idx::combine(&images, contents.0, &labels, contents.1, names(&CLASSES))
}

/// The SHA-256 of a split's images and labels, uncompressed (Debian compressed them anew, so that the digests of the
/// `.gz` files differ between the places where the data set is to be had). Computed from Debian's files, whose
/// compressed data gives the MD5 sums in the data set's README once the names and times that Debian left out are back in
/// their headers.
pub fn digests(split: Split) -> [&'static str; 2] {
    match split {
        Split::Train => [
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ],
        Split::Test => [
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ],
    }
}

/// Compares the contents of a file with a digest.
fn verify(path: &Path, idx: &Idx, expected: &str) -> Result<(), DataError> {
    let digest = Sha256::new()
        .chain_update(idx.header())
        .chain_update(&idx.data)
        .finalize();
    let found: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    if found == expected {
        return Ok(());
    }
    Err(DataError::Checksum {
        path: path.to_owned(),
        expected: expected.to_owned(),
        found,
    })
}
