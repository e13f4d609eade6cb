//! Layers, optimisers, initialisation and fused operations on burn, shared by the ERA benchmark suites.
