//! Problems with verifiable answers for language models: generators, files, a tokenizer and a grader.
//!
//! Nothing here knows a tensor or a run.

pub mod grader;
