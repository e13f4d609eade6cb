//! Where tensors are computed, as `--device` names it.

use std::fmt;
use std::str::FromStr;

/// An engine, and which of its devices: `flex`, `libtorch`, `libtorch-cuda:1`, `cuda:0`, `wgpu`.
///
/// The engine is part of a cell's identity, the index is not: two graphics cards of one machine compute the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceId {
    /// What computes tensors; which ones there are, the trainers say.
    pub engine: String,
    /// Number of the device among those of its engine.
    pub index: usize,
}

/// What is wrong with the name of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no device: ENGINE or ENGINE:NUMBER, for example libtorch-cuda:1")]
pub struct NoDeviceName(String);

impl FromStr for DeviceId {
    type Err = NoDeviceName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NoDeviceName(text.to_owned());
        let (engine, index) = match text.split_once(':') {
            Some((engine, index)) if index.bytes().all(|byte| byte.is_ascii_digit()) => {
                (engine, index.parse().map_err(|_| wrong())?)
            }
            Some(_) => return Err(wrong()),
            None => (text, 0),
        };
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if engine.is_empty() || !engine.bytes().all(letter) {
            return Err(wrong());
        }
        Ok(Self {
            engine: engine.to_owned(),
            index,
        })
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            0 => f.write_str(&self.engine),
            index => write!(f, "{}:{index}", self.engine),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_an_engine_and_a_number() {
        let device = |engine: &str, index| DeviceId {
            engine: engine.into(),
            index,
        };
        assert_eq!("flex".parse(), Ok(device("flex", 0)));
        assert_eq!("libtorch-cuda:1".parse(), Ok(device("libtorch-cuda", 1)));
        assert_eq!(device("cuda", 3).to_string(), "cuda:3");
        assert_eq!(device("flex", 0).to_string(), "flex");
        for text in [
            "", ":1", "cuda:", "cuda:x", "cuda:-1", "CUDA:0", "cuda:1:2", "a b",
        ] {
            assert!(text.parse::<DeviceId>().is_err(), "{text}");
        }
    }
}
