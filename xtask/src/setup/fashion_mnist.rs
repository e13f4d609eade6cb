//! Fashion-MNIST, out of Debian's package `dataset-fashion-mnist` (MIT; its licence is put beside it).
//!
//! The version is whichever the user's distribution has, since `era` holds what the files contain to published digests
//! when it opens them. Here they only have to be there.

use std::fs;
use std::path::{Path, PathBuf};

use super::debian::Debian;
use super::folder::{self, DISK_FULL, Made, failed};
use super::wheel::is_full;
use crate::failure::Failure;
use crate::paths;

const FOLDER: &str = "fashion-mnist";
const PACKAGE: &str = "dataset-fashion-mnist";
/// Where the package puts the files, without the leading slash: `era` finds an installed one too.
const IN_PACKAGE: &str = "usr/share/datasets/fashion-mnist";
const LICENCE: &str = "usr/share/doc/dataset-fashion-mnist/copyright";

/// Each is there as it is, or compressed with `.gz` at its end. `era` goes by the first.
const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The folder that `era` will read: of the data sets in `data`, or that of an installed package.
pub(crate) fn installed(data: &Path) -> Option<PathBuf> {
    installed_in(&[data.join(FOLDER), Path::new("/").join(IN_PACKAGE)])
}

/// As `era_data::fashion_mnist::locate` chooses: the first place with the first file, whether or not it is whole.
fn installed_in(places: &[PathBuf]) -> Option<PathBuf> {
    let place = places.iter().find(|place| {
        let (plain, packed) = forms(place, FILES[0]);
        plain.exists() || packed.exists()
    })?;
    lacking(place).is_none().then(|| place.clone())
}

/// A file as it is and compressed.
fn forms(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    (folder.join(name), folder.join(format!("{name}.gz")))
}

/// The first file that is missing or empty.
fn lacking(folder: &Path) -> Option<&'static str> {
    FILES.into_iter().find(|name| {
        let (plain, packed) = forms(folder, name);
        // The compressed one is not looked at where there is a plain one.
        let file = if plain.exists() { plain } else { packed };
        !fs::metadata(file).is_ok_and(|about| about.is_file() && about.len() > 0)
    })
}

/// Brings it, unless it is there.
pub(crate) fn set_up(data: &Path) -> Result<(), Failure> {
    match installed(data) {
        Some(folder) => {
            eprintln!("fashion-mnist is already in {}", paths::shown(&folder));
            Ok(())
        }
        None => bring(&Debian::system(), data),
    }
}

fn bring(debian: &Debian, data: &Path) -> Result<(), Failure> {
    let folder = data.join(FOLDER);
    spare(&folder)?;
    let whole = |folder: &Path| lacking(folder).is_none();
    let made = folder::make(data, FOLDER, whole, |staging| {
        eprintln!(
            "fashion-mnist: downloads 31 MB, keeps as much in {}",
            paths::shown(&folder)
        );
        fill(debian, staging, &folder)
    })?;
    match made {
        Made::Now => eprintln!("fashion-mnist is set up"),
        Made::Before => eprintln!("fashion-mnist is already in {}", paths::shown(&folder)),
    }
    Ok(())
}

/// What somebody has put there is not replaced.
fn spare(folder: &Path) -> Result<(), Failure> {
    let used = fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
    let Some(name) = lacking(folder).filter(|_| used) else {
        return Ok(());
    };
    let shown = paths::shown(folder);
    Err(Failure::new(format!(
        "failed to set up fashion-mnist: {shown} is there, but {name} is missing or empty"
    ))
    .remedy(format!("complete {shown}, or remove it and try again"))
    .outside())
}

/// Downloads the package and lays out what is needed of it. `folder` is what the new folder will be called.
fn fill(debian: &Debian, staging: &Path, folder: &Path) -> Result<(), Failure> {
    let downloads = staging.join("downloads");
    fs::create_dir(&downloads).map_err(failed("create", &downloads))?;
    let tree = downloads.join("tree");
    debian
        .unpack(PACKAGE, &downloads, &tree)
        .map_err(|reason| unavailable(&reason, folder))?;
    let files = FILES.map(|name| format!("{name}.gz"));
    let files = files
        .iter()
        .map(|name| (format!("{IN_PACKAGE}/{name}"), name.as_str()));
    for (from, to) in files.chain([(LICENCE.to_owned(), "copyright")]) {
        let from = tree.join(from);
        fs::rename(&from, staging.join(to)).map_err(|error| {
            let reason = format!("{PACKAGE} has no usable {to}: {error}");
            unavailable(&reason, folder)
        })?;
    }
    if let Some(name) = lacking(staging) {
        return Err(unavailable(
            &format!("{PACKAGE} has no usable {name}"),
            folder,
        ));
    }
    fs::remove_dir_all(&downloads).map_err(failed("remove", &downloads))
}

fn unavailable(reason: &str, folder: &Path) -> Failure {
    let failure = Failure::new(format!("failed to set up fashion-mnist: {reason}"));
    let remedy = if is_full(reason) {
        DISK_FULL.to_owned()
    } else {
        let [a, b, c, d] = FILES;
        format!(
            "install the package {PACKAGE} (Debian, Ubuntu: apt-get update, apt-get install {PACKAGE}),\n        \
             or put {a}, {b}, {c} and {d}\n        \
             (as they are or with .gz, from https://github.com/zalandoresearch/fashion-mnist) into {}",
            paths::shown(folder)
        )
    };
    failure.remedy(remedy).outside()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("era-xtask-fashion-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a temporary folder");
        folder
    }

    fn write(folder: &Path, name: &str, text: &str) {
        fs::create_dir_all(folder).expect("a temporary folder");
        fs::write(folder.join(name), text).expect("a temporary file");
    }

    #[test]
    fn every_file_has_to_be_there_in_one_form() {
        let root = place("forms");
        let places = [root.join("own"), root.join("debian")];
        let found = || installed_in(&places);
        assert_eq!(found(), None);
        for name in FILES {
            assert_eq!(found(), None);
            write(&places[1], &format!("{name}.gz"), "packed");
        }
        assert_eq!(found().as_ref(), Some(&places[1]));
        // Only the first file draws `era` to a place.
        write(&places[0], FILES[1], "plain");
        assert_eq!(found().as_ref(), Some(&places[1]));
        write(&places[0], FILES[0], "plain");
        assert_eq!(found(), None);
        write(&places[0], FILES[2], "plain");
        write(&places[0], &format!("{}.gz", FILES[3]), "packed");
        assert_eq!(found().as_ref(), Some(&places[0]));
        // An empty plain file is read before the compressed one beside it.
        write(&places[0], FILES[3], "");
        assert_eq!(found(), None);
        fs::remove_dir_all(root).unwrap();
    }

    /// Fakes that pack the package's files, of which `omit` is left out.
    fn fakes(omit: &str) -> Debian {
        let files: Vec<String> = FILES
            .iter()
            .map(|name| format!("{IN_PACKAGE}/{name}.gz"))
            .filter(|name| omit.is_empty() || !name.contains(omit))
            .collect();
        let unpack = format!(
            "mkdir -p $3/{IN_PACKAGE} $3/usr/share/doc/{PACKAGE} && cd $3 && for f in {} {LICENCE}; do echo 1 > $f; done",
            files.join(" ")
        );
        Debian::fake("touch $3.deb", &unpack)
    }

    #[test]
    fn it_is_brought_whole_or_not_at_all() {
        let data = place("whole");
        let folder = data.join(FOLDER);
        let failure = bring(&fakes("t10k-labels"), &data).unwrap_err().to_string();
        assert!(failure.contains("t10k-labels-idx1-ubyte"), "{failure}");
        assert!(!folder.exists());
        bring(&fakes(""), &data).unwrap();
        assert_eq!(installed(&data), Some(folder.clone()));
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names.len(), 5, "{names:?}");
        assert!(
            names
                .iter()
                .all(|name| name.ends_with(".gz") || name == "copyright")
        );
        fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn files_of_the_user_are_spared() {
        let data = place("spared");
        let folder = data.join(FOLDER);
        write(&folder, FILES[0], "theirs");
        let failure = bring(&fakes(""), &data).unwrap_err().to_string();
        assert!(
            failure.contains(FILES[1]) && failure.contains("complete"),
            "{failure}"
        );
        assert_eq!(fs::read_to_string(folder.join(FILES[0])).unwrap(), "theirs");
        fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn a_package_out_of_reach_has_a_remedy() {
        let data = place("reach");
        let failure = |said: &str| {
            let apt = format!("echo '{said}' >&2; exit 100");
            bring(&Debian::fake(&apt, "exit 0"), &data)
                .unwrap_err()
                .to_string()
        };
        let unknown = failure("E: Unable to locate package dataset-fashion-mnist");
        for part in FILES
            .iter()
            .chain(&["Unable to locate", "apt-get install", FOLDER])
        {
            assert!(unknown.contains(part), "{unknown}");
        }
        let full = failure("E: Write error - write (28: No space left on device)");
        assert!(full.contains("ERA_DATA_DIR"), "{full}");
        fs::remove_dir_all(data).unwrap();
    }
}
