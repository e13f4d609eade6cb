//! Random streams: a generator is a pure function of (run seed, purpose, step).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The random streams of one run. Nothing is stored between steps, so a checkpoint holds no generator state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of the run with this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The generator for `purpose` at `step`: its key is BLAKE3 of the seed and the purpose, its stream number the step.
    pub fn at(&self, purpose: &str, step: u64) -> ChaCha8Rng {
        let mut hasher = blake3::Hasher::new_derive_key("era-harness 1 random stream");
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(purpose.as_bytes());
        let mut rng = ChaCha8Rng::from_seed(*hasher.finalize().as_bytes());
        rng.set_stream(step);
        rng
    }
}
