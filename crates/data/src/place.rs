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
