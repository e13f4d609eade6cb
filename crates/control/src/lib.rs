//! Continuous control: SAC with and without ERA.
