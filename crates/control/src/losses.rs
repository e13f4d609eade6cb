//! The terms that the losses of all methods are made of. Written in burn's operations alone, so they hold in `f32` and `f64`.

use burn::tensor::Tensor;

/// The smaller of two critics' values: `[2, B, 1]` to `[B, 1]`. Clipped double Q-learning (Fujimoto et al. 2018).
pub fn smaller(q: Tensor<3>) -> Tensor<2> {
    let [_, batch, _] = q.dims();
    let first = q.clone().narrow(0, 0, 1).reshape([batch, 1]);
    let second = q.narrow(0, 1, 1).reshape([batch, 1]);
    // Where both are equal the first gets the gradient; PyTorch and JAX give each half of it.
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

#[cfg(test)]
mod tests {
    use super::{critic, smaller, target};
    use crate::golden::{assert_close, cases, column, file, leaf, line, pair, row};

    /// `polyak`: PyTorch's `target.lerp_(param, tau)`, as SB3's `polyak_update`.
    #[test]
    fn target_networks_follow_by_tau() {
        let polyak = &file()["polyak"];
        let tau = polyak["tau"].as_f64().expect("a number");
        let moved = era_nn::ops::lerp(line(&polyak["target"]), line(&polyak["param"]), tau as f32);
        assert_close(moved, &row(&polyak["new_target"]));
    }

    /// `target_era`, `critic_loss_cleanrl_era`, `actor_loss_era`: no entropy term, as in jaxrl's `critic.py:28` and
    /// `actor.py:16`. The methods without a temperature are made of these terms alone.
    #[test]
    fn losses_without_an_entropy_term() {
        for case in cases() {
            let number = |name: &str| case[name].as_f64().expect("a number");
            let next_value = smaller(pair(&case, "next_q1_target", "next_q2_target"));
            let mask = column(&case, "terminated") * -1.0 + 1.0;
            let target = target(column(&case, "reward"), mask, number("gamma"), next_value);
            assert_close(target.clone(), &row(&case["target_era"]));
            let q = leaf(pair(&case, "q1", "q2"));
            let loss = critic(q.clone(), target);
            assert_close(loss.clone().inner(), &[number("critic_loss_cleanrl_era")]);
            let gradient = q.grad(&loss.backward()).expect("a gradient");
            let expected = [
                row(&case["grad_q1_cleanrl_era"]),
                row(&case["grad_q2_cleanrl_era"]),
            ]
            .concat();
            assert_close(gradient, &expected);
            let actor = -smaller(pair(&case, "q1_pi", "q2_pi")).mean();
            assert_close(actor, &[number("actor_loss_era")]);
        }
    }
}
