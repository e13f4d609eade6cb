//! The data sets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use era_data::{DataError, Images, Normalise, Split, Subset, fashion_mnist, shapes::Shapes};
use era_harness::Task;

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
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Made by the program.
    Shapes,
    FashionMnist,
}

const TASKS: [TaskInfo; 2] = [
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
];

/// All tasks.
pub fn all() -> &'static [TaskInfo] {
    &TASKS
}

/// The task with this name.
pub fn find(name: &str) -> Option<&'static TaskInfo> {
    TASKS.iter().find(|task| task.name == name)
}

/// The part of `train` and `test` that is used: the first so many of each class, 0 for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of each class, to train on.
    pub train: usize,
    /// Of each class, to evaluate on.
    pub test: usize,
}

impl TaskInfo {
    /// As the harness sees it.
    pub fn task(&self) -> Task {
        Task {
            name: self.name,
            about: self.about,
            needs: self.needs(),
            available: self.locate().is_ok(),
            inputs: match self.source {
                Source::Shapes => era_harness::method::no_inputs,
                Source::FashionMnist => fashion_mnist_inputs,
            },
        }
    }

    /// What `cargo xtask setup` brings.
    fn needs(&self) -> Option<&'static str> {
        match self.source {
            Source::Shapes => None,
            Source::FashionMnist => Some("fashion-mnist"),
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
        }
    }

    /// Opens a split.
    ///
    /// # Errors
    /// It is not there, or its files are not what they should be.
    pub fn open(&self, split: Split, limits: Limits) -> Result<Arc<dyn Images>, DataError> {
        let limit = match split {
            Split::Train => limits.train,
            Split::Test => limits.test,
        };
        let images: Arc<dyn Images> = match self.source {
            Source::Shapes => {
                let [train, test] = self.sizes;
                let size = if split == Split::Train { train } else { test };
                Arc::new(Shapes::new(SHAPES_SEED, split, size))
            }
            Source::FashionMnist => Arc::new(fashion_mnist::open(&self.locate()?, split)?),
        };
        Ok(if limit == 0 {
            images
        } else {
            Arc::new(Subset::per_class(images, limit))
        })
    }

    /// What its bytes become.
    pub fn normalise(&self) -> Normalise {
        match self.source {
            Source::Shapes => Normalise::shapes(),
            Source::FashionMnist => Normalise::fashion_mnist(),
        }
    }

    /// The number of images of a split under `limits`.
    pub fn size(&self, split: Split, limits: Limits) -> usize {
        let ([train, test], classes) = (self.sizes, self.classes.unwrap_or(1));
        let (size, limit) = match split {
            Split::Train => (train, limits.train),
            Split::Test => (test, limits.test),
        };
        if limit == 0 {
            size
        } else {
            size.min(limit * classes)
        }
    }
}

/// One data set for every run: its seed is not the run's.
const SHAPES_SEED: u64 = 0;

fn fashion_mnist_inputs() -> BTreeMap<String, String> {
    let [images, _] = fashion_mnist::digests(Split::Train);
    BTreeMap::from([("fashion-mnist".to_owned(), format!("sha256:{images}"))])
}
