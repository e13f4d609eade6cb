//! Losses of a classifier on tensors: logits `[samples, classes]`, natural logarithms, the mean over samples.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Tensor, TensorData};

/// Target distributions `[samples, classes]`: (1 - smoothing) on the label and smoothing / classes on every class (Szegedy et al.
/// 2016; `torch.nn.CrossEntropyLoss(label_smoothing)`). With 0 they are one-hot.
pub fn targets(labels: &[usize], classes: usize, smoothing: f64, device: &Device) -> Tensor<2> {
    let rest = (smoothing / classes as f64) as f32;
    let mut values = vec![rest; labels.len() * classes];
    for (row, label) in values.chunks_exact_mut(classes).zip(labels) {
        row[*label] = (1.0 - smoothing + smoothing / classes as f64) as f32;
    }
    Tensor::from_data(TensorData::new(values, [labels.len(), classes]), device)
}

/// The cross-entropy of the targets and softmax(logits).
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    -(targets * log_softmax(logits, 1)).sum_dim(1).mean()
}

/// The entropy of softmax(logits).
pub fn entropy(logits: Tensor<2>) -> Tensor<1> {
    let log = log_softmax(logits, 1);
    -(log.clone().exp() * log).sum_dim(1).mean()
}

/// The focal loss -(1 - p)^γ log p of the label's probability p (Lin et al. 2017, equation 5 with γ = `gamma`, without the
/// balancing α). `targets` are one-hot.
pub fn focal(logits: Tensor<2>, targets: Tensor<2>, gamma: f64) -> Tensor<1> {
    let probability = (softmax(logits.clone(), 1) * targets.clone()).sum_dim(1);
    let log = (log_softmax(logits, 1) * targets).sum_dim(1);
    // 1 - p of a probability that was rounded up may be a little below 0, where the power is not a number.
    let weight = (probability.neg() + 1.0)
        .clamp_min(1e-7)
        .powf_scalar(gamma as f32);
    -(weight * log).mean()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits() -> Tensor<2> {
        Tensor::from_data([[2.0_f32, 0.5, -1.0], [0.0, 0.0, 3.0]], &Device::flex())
    }

    fn number(tensor: Tensor<1>) -> f64 {
        tensor.into_data().try_into_vec::<f32>().unwrap()[0].into()
    }

    /// log softmax by hand, in f64.
    fn log_p(row: usize, class: usize) -> f64 {
        let rows = [[2.0_f64, 0.5, -1.0], [0.0, 0.0, 3.0]];
        rows[row][class] - rows[row].iter().map(|x| x.exp()).sum::<f64>().ln()
    }

    #[test]
    fn cross_entropy_of_smoothed_targets() {
        for smoothing in [0.0, 0.1, 0.3] {
            let loss = cross_entropy(logits(), targets(&[1, 2], 3, smoothing, &Device::flex()));
            let row = |row: usize, label: usize| {
                let uniform: f64 = (0..3).map(|class| log_p(row, class)).sum::<f64>() / 3.0;
                -(1.0 - smoothing) * log_p(row, label) - smoothing * uniform
            };
            let expected = (row(0, 1) + row(1, 2)) / 2.0;
            assert!(
                (number(loss) - expected).abs() < 1e-6,
                "smoothing {smoothing}"
            );
        }
    }

    #[test]
    fn focal_loss_weighs_by_what_is_missing() {
        for gamma in [0.0, 2.0, 3.0] {
            let loss = focal(logits(), targets(&[1, 2], 3, 0.0, &Device::flex()), gamma);
            let row = |log: f64| -(1.0 - log.exp()).powf(gamma) * log;
            let expected = (row(log_p(0, 1)) + row(log_p(1, 2))) / 2.0;
            assert!((number(loss) - expected).abs() < 1e-6, "gamma {gamma}");
        }
    }

    #[test]
    fn focal_loss_of_a_certain_label_is_zero_with_a_gradient() {
        let device = Device::flex().autodiff();
        let sure = Tensor::<2>::from_data([[200.0_f32, 0.0]], &device).require_grad();
        let loss = focal(sure.clone(), targets(&[0], 2, 0.0, &device), 0.5);
        let gradient = sure.grad(&loss.backward()).unwrap();
        let gradient: Vec<f32> = gradient.into_data().try_into_vec().unwrap();
        assert!(gradient.iter().all(|x| x.is_finite()), "{gradient:?}");
    }

    #[test]
    fn entropy_is_the_mean_over_rows() {
        let row = |row: usize| -> f64 {
            -(0..3)
                .map(|class| log_p(row, class) * log_p(row, class).exp())
                .sum::<f64>()
        };
        let expected = (row(0) + row(1)) / 2.0;
        assert!((number(entropy(logits())) - expected).abs() < 1e-6);
    }
}
