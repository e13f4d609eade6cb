//! The suites of this build.

use era_harness::Suite;

/// The suite whose faults are parameters: for tests, so only a file that names it reaches it.
pub(crate) const MOCK: &str = "mock";

/// Every suite, one line each; a suite's own crate lists its tasks and methods.
pub(crate) fn suites() -> Vec<Suite> {
    vec![
        era_control::suite(),
        era_vision::suite(),
        era_llm::suite(),
        era_harness::mock::suite(),
    ]
}
