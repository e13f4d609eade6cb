//! Kernels compiled for the processor at hand.

/// Runs `work` compiled for the widest vectors of this processor. The results do not depend on the width: no operation is fused.
///
/// Only what is inlined into the dispatch is compiled so; hence `inline(always)` on the closures and on all that they call.
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}
