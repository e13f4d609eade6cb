//! Problems with verifiable answers for language models: generators, files, a tokenizer and a grader.
//!
//! [`sets`] makes problems of numbers, [`files`] reads them from JSON Lines; both give [`Problem`]s, which grade responses
//! themselves. [`Tokenizer`] serves small policies that are trained from nothing on the generated sets. Nothing here knows a
//! tensor or a run, nothing is downloaded, and no code of a response is run.
//!
//! ```
//! use era_problems::{Problems, Split, Tokenizer, sets::{ChainSum, Generated}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let set = Generated::new(ChainSum { terms: 3, digits: 2 }, Split::Train, 0)?;
//! let problem = set.problem(7);
//! assert!(problem.grade(&problem.solution).is_correct());
//! let tokens = Tokenizer.encode(&problem.prompt)?;
//! assert_eq!(Tokenizer.decode(&tokens)?, problem.prompt);
//! # Ok(())
//! # }
//! ```

pub mod files;
pub mod grader;
mod problem;
pub mod sets;
mod tokenizer;

pub use problem::{Answer, Problem, Problems, Split};
pub use tokenizer::{TokenError, Tokenizer};
