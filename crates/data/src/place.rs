//! Where data sets lie.

use std::path::{Path, PathBuf};

use crate::DataError;

/// The folder that holds the data sets: the environment variable `ERA_DATA_DIR`, else `data` in the working directory.
pub fn data_dir() -> PathBuf {
    match std::env::var_os("ERA_DATA_DIR") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => PathBuf::from("data"),
    }
}

/// The first of the `places` where one of the `probes` lies.
pub(crate) fn first_with(
    what: &str,
    remedy: &str,
    places: Vec<PathBuf>,
    probes: &[&str],
) -> Result<PathBuf, DataError> {
    let holds = |place: &Path| probes.iter().any(|probe| place.join(probe).exists());
    match places.iter().position(|place| holds(place)) {
        Some(index) => Ok(places[index].clone()),
        None => Err(DataError::Missing {
            what: what.to_owned(),
            looked: places,
            remedy: remedy.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_is_taken_and_all_are_named() {
        let root = tempfile::TempDir::new().unwrap();
        let [one, two] = ["one", "two"].map(|name| root.path().join(name));
        let find = || {
            first_with(
                "Letters",
                "write some",
                vec![one.clone(), two.clone()],
                &["a", "b"],
            )
        };
        let text = find().unwrap_err().to_string();
        let expected = format!(
            "find Letters: looked at {}, {}; write some",
            one.display(),
            two.display()
        );
        assert_eq!(text, expected);
        std::fs::create_dir(&two).unwrap();
        assert!(find().is_err());
        std::fs::write(two.join("b"), "").unwrap();
        assert_eq!(find().unwrap(), two);
        std::fs::create_dir_all(one.join("a")).unwrap();
        assert_eq!(find().unwrap(), one);
    }
}
