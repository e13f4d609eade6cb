//! Entropy Regularizing Activation (ERA): a policy's entropy guaranteed by an activation.
