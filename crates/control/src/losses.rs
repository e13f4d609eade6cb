//! The terms that the losses of all methods are made of. Written in burn's operations alone, so they hold in `f32` and `f64`.

use burn::tensor::Tensor;

/// The smaller of two critics' values: `[2, B, 1]` to `[B, 1]`. Clipped double Q-learning (Fujimoto et al. 2018).
pub fn smaller(q: Tensor<3>) -> Tensor<2> {
    let [_, batch, _] = q.dims();
    let first = q.clone().narrow(0, 0, 1).reshape([batch, 1]);
    let second = q.narrow(0, 1, 1).reshape([batch, 1]);
    first.min_pair(second)
}

/// What the critics regress to: reward + discount * mask * value of the next state, all `[B, 1]`.
///
/// `mask` is 0 where the task terminated and 1 elsewhere, also where a time limit cut the episode off.
pub fn target(
    reward: Tensor<2>,
    mask: Tensor<2>,
    discount: f64,
    next_value: Tensor<2>,
) -> Tensor<2> {
    reward + mask * next_value * discount
}

/// The sum over both critics of the mean squared error: `[2, B, 1]` and `[B, 1]` to one number.
///
/// Without the factor 1/2 of Haarnoja et al. 2018 and of SB3, as CleanRL and the official SAC-ERA (`critic.py`) have it.
pub fn critic(q: Tensor<3>, target: Tensor<2>) -> Tensor<1> {
    let [_, batch, _] = q.dims();
    let error = q - target.reshape([1, batch, 1]);
    (error.clone() * error).sum() / batch as f64
}
