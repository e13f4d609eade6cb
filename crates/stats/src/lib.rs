//! Statistics of repeated runs: interquartile mean, stratified bootstrap, performance profiles, probability of
//! improvement.
//!
//! Definitions follow rliable (Agarwal et al., *Deep Reinforcement Learning at the Edge of the Statistical Precipice*,
//! NeurIPS 2021; library version 1.2.0) and agree with it to 1e-12 where every task has the same number of runs. Real
//! studies lose runs: tasks may have different numbers of them here, and every task then still counts the same.
//!
//! ```
//! use era_stats::{Bootstrap, Scores, aggregate};
//!
//! // Two tasks with three and two runs.
//! let scores = Scores::new(&[vec![0.4, 0.5, 0.9], vec![1.1, 1.3]])?;
//! let estimates = aggregate::intervals(&scores, 1.0, &Bootstrap::default());
//! let interval = estimates.iqm.interval.ok_or("a task has a single run")?;
//! assert!(interval.low <= estimates.iqm.value && estimates.iqm.value <= interval.high);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`margin`] judges a difference by a margin, for few runs and many questions; [`pass`] has pass@k, by which language models are judged.
//!
//! Results are a pure function of scores, settings and seed: the number of threads does not matter.

pub mod aggregate;
pub mod bootstrap;
pub mod difference;
pub mod improvement;
pub mod margin;
pub mod pass;
pub mod profile;
pub mod ratio;
pub mod scores;
pub mod student;

pub use aggregate::Aggregates;
pub use bootstrap::{Bootstrap, BootstrapError, Estimate, Interval};
pub use scores::{Scores, ScoresError};
