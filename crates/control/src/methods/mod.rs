//! One file, one algorithm. Blocks that stand in several files stay word for word the same.

pub mod ppo;
pub mod ppo_entropy_bonus;
pub mod ppo_era;
pub mod sac;
pub mod sac_era;
pub mod sac_fixed_sigma;
pub mod sac_no_entropy;
