use super::*;

const SPEC: Spec = Spec {
    name: "test",
    obs_dim: 3,
    act_dim: 3,
    time_limit: 10,
};

/// The chain from the actor's output to the loss (activation, bounding, density, entropy, surrogate) against central
/// differences of the loss itself, with an entropy bonus large enough to be seen.
#[test]
fn gradients_of_outputs_are_the_losses_slopes() {
    for distribution in [PpoDistribution::Normal, PpoDistribution::TruncatedNormal] {
        let params = PpoEraParams {
            distribution,
            entropy_coef: 0.7,
            hidden: vec![4],
            ..PpoEraParams::default()
        };
        let agent = Agent::new(&params, SPEC, Streams::new(0), &Device::flex())
            .expect("the defaults are feasible");
        let output = [
            0.3_f32, -0.6, 0.1, 0.5, -1.0, 0.2, -0.9, 0.4, 1.1, 0.0, 0.7, -0.3,
        ];
        let values = [0.2, -0.4];
        let batch = Minibatch {
            obs: vec![0.0; 6],
            action: vec![0.2, -0.5, 0.15, -0.6, 0.3, 0.75],
            log_prob: vec![1.3, 0.9],
            advantage: vec![0.8, -1.2],
            returns: vec![0.5, 0.1],
            value: vec![0.1, -0.3],
        };
        let (_, gradients) = agent.differentiate(&output, &values, &batch);
        let total = |at: usize, step: f32| {
            let mut moved = output;
            moved[at] += step;
            agent.differentiate(&moved, &values, &batch).0.total
        };
        for (at, found) in gradients.actor.iter().enumerate() {
            let slope = (total(at, 1e-3) - total(at, -1e-3)) / 2e-3;
            assert!(
                (slope - f64::from(*found)).abs() < 2e-4 * slope.abs().max(1.0),
                "{distribution:?}, output {at}: {found} instead of {slope}"
            );
        }
    }
}
