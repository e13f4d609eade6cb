//! Folders of images in ImageNet's layout: `train/CLASS/IMAGE` and `val/CLASS/IMAGE` (or `test/…`).
//!
//! Images are JPEG or PNG, of any size, and decoded as they are read: in memory are the names of the files only, about
//! 25 bytes an image for ImageNet.

mod decode;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{DataError, Image, ImageShape, Images, Split, place};

/// Endings of the files that are images, in small letters.
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];

/// A split of a folder of images. Classes are in the order of their names (as bytes), images too within their class.
pub struct Folder {
    dir: PathBuf,
    classes: Vec<String>,
    /// The first image of every class.
    starts: Vec<u32>,
    /// The names of all files, one after the other.
    names: String,
    /// Where every file's name ends in `names`.
    ends: Vec<u32>,
    ignored: usize,
}

/// What a folder holds, in one number: see [`Folder::manifest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// BLAKE3 in hexadecimal.
    pub hash: String,
    /// The number of images.
    pub files: usize,
    /// Their bytes in all.
    pub bytes: u64,
}

/// The folder of the data set `name`: of that name in [`data_dir`](crate::data_dir).
///
/// # Errors
/// [`DataError::Missing`] when there is none with a folder `train` in it.
pub fn locate(name: &str) -> Result<PathBuf, DataError> {
    place::first_with(
        &format!("the image folder {name}"),
        "it has to hold the folders train and val, in them a folder for every class, in these the images",
        vec![place::data_dir().join(name)],
        &["train"],
    )
}

impl Folder {
    /// Lists the images of a split of the data set in `root`: `train`, or `val` and else `test`. Files of other kinds
    /// are counted ([`ignored`](Folder::ignored)) and left out, symbolic links followed.
    ///
    /// # Errors
    /// [`DataError::Io`] when a folder cannot be read, [`DataError::Layout`] when there are no classes, one has no
    /// images or a folder in it, a name is not UTF-8, or the other split has other classes.
    pub fn open(root: &Path, split: Split) -> Result<Self, DataError> {
        let [train, test] = [root.join("train"), test_dir(root)];
        let (dir, other) = match split {
            Split::Train => (train, test),
            Split::Test => (test, train),
        };
        let (classes, ignored) = list(&dir)?.into_classes(&dir)?;
        if other.is_dir() {
            let (others, _) = list(&other)?.into_classes(&other)?;
            same_classes(&dir, &classes, &other, &others)?;
        }
        let mut folder = Self {
            dir,
            starts: Vec::with_capacity(classes.len()),
            names: String::new(),
            ends: Vec::new(),
            ignored,
            classes: Vec::new(),
        };
        for class in &classes {
            folder.add_class(class)?;
        }
        folder.classes = classes;
        folder.names.shrink_to_fit();
        folder.ends.shrink_to_fit();
        Ok(folder)
    }

    /// Lists the images of a class.
    fn add_class(&mut self, class: &str) -> Result<(), DataError> {
        let dir = self.dir.join(class);
        let Listing { mut files, folders } = list(&dir)?;
        if let Some(folder) = folders.first() {
            return Err(DataError::layout(
                &dir.join(folder),
                "a class holds images and no folders",
            ));
        }
        let all = files.len();
        files.retain(|name| is_image(name));
        if files.is_empty() {
            return Err(DataError::layout(
                &dir,
                format!("the class has no images among its {all} files"),
            ));
        }
        self.ignored += all - files.len();
        let too_many = |_| DataError::layout(&self.dir, "it has too many images");
        self.starts
            .push(u32::try_from(self.ends.len()).map_err(too_many)?);
        for name in files {
            self.names.push_str(&name);
            self.ends
                .push(u32::try_from(self.names.len()).map_err(too_many)?);
        }
        Ok(())
    }

    /// Files that are no images (by their ending), in the classes and beside them.
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// The number of images of every class.
    pub fn counts(&self) -> Vec<usize> {
        let ends = self.starts.iter().skip(1).map(|&end| end as usize);
        ends.chain([self.len()])
            .zip(&self.starts)
            .map(|(end, &start)| end - start as usize)
            .collect()
    }

    /// Where an image lies.
    pub fn path(&self, index: usize) -> PathBuf {
        let class = &self.classes[self.label(index)];
        self.dir.join(class).join(self.name(index))
    }

    /// The name of an image's file.
    fn name(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.names[start as usize..self.ends[index] as usize]
    }

    /// A digest of what the split holds: BLAKE3 over every image's `CLASS/NAME`, a zero byte and its size in bytes
    /// (little-endian u64), in order. It looks at every file's size, at none's contents.
    ///
    /// # Errors
    /// [`DataError::Io`] when a file is gone.
    pub fn manifest(&self) -> Result<Manifest, DataError> {
        let mut hasher = blake3::Hasher::new();
        let mut bytes = 0;
        for index in 0..self.len() {
            let path = self.path(index);
            let size = fs::metadata(&path).map_err(DataError::io(&path))?.len();
            bytes += size;
            hasher.update(self.classes[self.label(index)].as_bytes());
            hasher.update(b"/");
            hasher.update(self.name(index).as_bytes());
            hasher.update(&[0]);
            hasher.update(&size.to_le_bytes());
        }
        Ok(Manifest {
            hash: hasher.finalize().to_hex().to_string(),
            files: self.len(),
            bytes,
        })
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder")
            .field("dir", &self.dir)
            .field("classes", &self.classes.len())
            .field("images", &self.len())
            .finish_non_exhaustive()
    }
}

impl Images for Folder {
    /// `None`: sizes differ.
    fn shape(&self) -> Option<ImageShape> {
        None
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn label(&self, index: usize) -> usize {
        assert!(index < self.len(), "image {index} of {}", self.len());
        self.starts
            .partition_point(|&start| start as usize <= index)
            - 1
    }

    /// Reads and decodes a file, to red, green and blue whatever it holds.
    fn read(&self, index: usize) -> Result<Image, DataError> {
        decode::read(&self.path(index))
    }
}

/// The folder of the images to evaluate on.
fn test_dir(root: &Path) -> PathBuf {
    let val = root.join("val");
    if val.is_dir() { val } else { root.join("test") }
}

/// Whether a file is an image, by its name. Hidden files are not: some systems leave `._NAME.jpg` beside every file.
fn is_image(name: &str) -> bool {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    !name.starts_with('.') && ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// What a folder holds, in the order of the names.
#[derive(Default)]
struct Listing {
    files: Vec<String>,
    folders: Vec<String>,
}

impl Listing {
    /// The folders as classes, and the number of files beside them.
    fn into_classes(mut self, dir: &Path) -> Result<(Vec<String>, usize), DataError> {
        self.folders.retain(|name| !name.starts_with('.'));
        if self.folders.is_empty() {
            return Err(DataError::layout(dir, "it has no folders of classes"));
        }
        Ok((self.folders, self.files.len()))
    }
}

/// Lists a folder.
fn list(dir: &Path) -> Result<Listing, DataError> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(dir).map_err(DataError::io(dir))? {
        let entry = entry.map_err(DataError::io(dir))?;
        let path = entry.path();
        let mut kind = entry.file_type().map_err(DataError::io(&path))?;
        if kind.is_symlink() {
            kind = fs::metadata(&path)
                .map_err(DataError::io(&path))?
                .file_type();
        }
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| DataError::layout(&path, "its name is not UTF-8"))?;
        if kind.is_dir() {
            listing.folders.push(name);
        } else {
            listing.files.push(name);
        }
    }
    listing.files.sort_unstable();
    listing.folders.sort_unstable();
    Ok(listing)
}

/// Whether both splits have the same classes.
fn same_classes(
    dir: &Path,
    classes: &[String],
    other: &Path,
    others: &[String],
) -> Result<(), DataError> {
    let lacks = |these: &[String], those: &[String]| {
        these.iter().find(|class| !those.contains(class)).cloned()
    };
    let told = |missing: String, here: &Path, there: &Path| {
        Err(DataError::layout(
            here,
            format!("it lacks the class {missing} of {}", there.display()),
        ))
    };
    if let Some(class) = lacks(others, classes) {
        return told(class, dir, other);
    }
    if let Some(class) = lacks(classes, others) {
        return told(class, other, dir);
    }
    Ok(())
}
