//! Residual networks (He et al. 2016) with the names, the initialisation and the batch-norm semantics of torchvision's.

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use era_nn::conv::{ConvNorm, Moments, conv_affine, conv_norm, global_average_pool, max_pool};
use era_nn::standard_normal;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::plan::{Layer, Plan};

/// What PyTorch's batch norm adds to a variance.
const EPSILON: f64 = 1e-5;
/// Weight of a batch in the running statistics, PyTorch's default.
const MOMENTUM: f32 = 0.1;

/// A learned array.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// As in torchvision and timm: `layer1.0.conv1.weight`.
    pub name: String,
    /// Its shape there.
    pub shape: Vec<usize>,
    /// Its numbers, row major, outside autodiff.
    pub value: Tensor<1>,
}

impl Parameter {
    /// Whether it is a weight of a convolution or of the classifier: what weight decay is for.
    pub fn is_weight(&self) -> bool {
        self.shape.len() > 1
    }
}

/// Running mean and variance of a normalisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// Name of the normalisation.
    pub name: String,
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Variance of each channel (unbiased).
    pub variance: Vec<f32>,
}

/// A residual network.
#[derive(Clone, Debug)]
pub struct ResNet {
    plan: Plan,
    layers: Vec<Layer>,
    /// Three for each layer (weight, scale, shift), then the classifier's weight and bias.
    pub(crate) parameters: Vec<Parameter>,
    /// One for each layer.
    pub(crate) running: Vec<Running>,
    device: Device,
    bf16: bool,
}

impl ResNet {
    /// Draws a network as torchvision does: convolutions from a normal distribution of variance 2 / (k² outputs) (He et al. 2015,
    /// "fan out"), scales 1, shifts 0, the classifier uniform in ±1/√features (`torch.nn.Linear`). With `zero_last` the scale
    /// of the last normalisation of each block is 0 (Goyal et al. 2017), so that every block begins as the identity.
    pub fn init(plan: Plan, zero_last: bool, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let layers = plan.layers();
        let mut parameters = Vec::with_capacity(3 * layers.len() + 2);
        let mut add = |name: String, shape: Vec<usize>, values: Vec<f32>| {
            let value = Tensor::from_data(TensorData::from(values.as_slice()), device);
            parameters.push(Parameter { name, shape, value });
        };
        for layer in &layers {
            let (outputs, kernel) = (layer.outputs, layer.kernel);
            let mut weight = vec![0.0; outputs * layer.inputs * kernel * kernel];
            standard_normal(rng, &mut weight);
            let std = (2.0 / (outputs * kernel * kernel) as f64).sqrt() as f32;
            weight.iter_mut().for_each(|x| *x *= std);
            add(
                format!("{}.weight", layer.conv),
                vec![outputs, layer.inputs, kernel, kernel],
                weight,
            );
            let scale = if zero_last && layer.last { 0.0 } else { 1.0 };
            add(
                format!("{}.weight", layer.norm),
                vec![outputs],
                vec![scale; outputs],
            );
            add(
                format!("{}.bias", layer.norm),
                vec![outputs],
                vec![0.0; outputs],
            );
        }
        let (classes, features) = (plan.classes, plan.features());
        let bound = 1.0 / (features as f32).sqrt();
        let mut uniform = |count: usize| -> Vec<f32> {
            (0..count)
                .map(|_| rng.random_range(-bound..bound))
                .collect()
        };
        let (weight, bias) = (uniform(classes * features), uniform(classes));
        add("fc.weight".to_owned(), vec![classes, features], weight);
        add("fc.bias".to_owned(), vec![classes], bias);
        let running = layers.iter().map(|layer| Running {
            name: layer.norm.clone(),
            mean: vec![0.0; layer.outputs],
            variance: vec![1.0; layer.outputs],
        });
        Self {
            running: running.collect(),
            plan,
            layers,
            parameters,
            device: device.clone(),
            bf16: false,
        }
    }

    /// Computes convolutions in bfloat16, and everything else (normalisations, classifier, losses, the weights themselves) in 32-bit
    /// floats. For devices that have it; the kernels of Flex do not.
    pub fn set_bf16(&mut self, bf16: bool) {
        self.bf16 = bf16;
    }

    /// What it consists of.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The learned arrays, in the order of a PyTorch module.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The running statistics, layer by layer.
    pub fn running(&self) -> &[Running] {
        &self.running
    }

    /// Where it is computed.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Number of learned numbers.
    pub fn size(&self) -> usize {
        self.parameters
            .iter()
            .map(|parameter| parameter.shape.iter().product::<usize>())
            .sum()
    }

    /// The forward pass of training, up to the pooled features: normalised by the batch's own moments, which enter the running
    /// statistics. `images` as of [`era_nn::conv::block`].
    pub fn train(&mut self, images: Tensor<5>, samples: usize) -> Pass {
        let leaves: Vec<Tensor<1>> = (self.parameters.iter())
            .map(|parameter| parameter.value.clone().autodiff().require_grad())
            .collect();
        let mut moments = Vec::with_capacity(self.layers.len());
        let features = self.forward(
            images.autodiff(),
            samples,
            |index, layer, x, other, relu| {
                let [weight, scale, shift] = three(&leaves, index);
                let (y, of_batch) = conv_norm(
                    x,
                    weight.reshape(shape(layer)),
                    [scale, shift],
                    other,
                    self.spec(layer, relu, samples),
                );
                let [_, height, width, ..] = y.dims();
                moments.push((index, of_batch, samples * height * width));
                y
            },
        );
        for (index, of_batch, count) in moments {
            self.running[index].update(&of_batch, count);
        }
        Pass { leaves, features }
    }

    /// Logits `[samples, classes]` with the running statistics, outside autodiff.
    pub fn logits(&self, images: Tensor<5>, samples: usize) -> Tensor<2> {
        let values: Vec<Tensor<1>> = self
            .parameters
            .iter()
            .map(|parameter| parameter.value.clone())
            .collect();
        let features = self.forward(images, samples, |index, layer, x, other, relu| {
            let [weight, scale, shift] = three(&values, index);
            let map = self.running[index].map(scale, shift);
            conv_affine(
                x,
                weight.reshape(shape(layer)),
                map,
                other,
                self.spec(layer, relu, samples),
            )
        });
        classify(&values, features)
    }

    fn spec(&self, layer: &Layer, relu: bool, samples: usize) -> ConvNorm {
        ConvNorm {
            stride: layer.stride,
            padding: layer.padding(),
            relu,
            samples,
            epsilon: EPSILON,
            bf16: self.bf16,
        }
    }

    /// The order of layers; `apply` is given each with its number, its input, what is added to it and whether ReLU follows.
    fn forward(
        &self,
        images: Tensor<5>,
        samples: usize,
        mut apply: impl FnMut(usize, &Layer, Tensor<5>, Option<Tensor<5>>, bool) -> Tensor<5>,
    ) -> Tensor<2> {
        let mut x = apply(0, &self.layers[0], images, None, true);
        if self.layers[0].pooled {
            x = max_pool(x, 3, 2, 1);
        }
        let mut entry = x.clone();
        for (index, layer) in self.layers.iter().enumerate().skip(1) {
            if layer.shortcut {
                continue; // computed with the layer before it, which ends the block
            }
            let added = layer.last.then(|| match self.layers.get(index + 1) {
                Some(next) if next.shortcut => apply(index + 1, next, entry.clone(), None, false),
                _ => entry.clone(),
            });
            x = apply(index, layer, x, added, true);
            if layer.last {
                entry = x.clone();
            }
        }
        global_average_pool(x, samples)
    }
}

/// A layer's weight, scale and shift.
fn three(values: &[Tensor<1>], layer: usize) -> [Tensor<1>; 3] {
    std::array::from_fn(|i| values[3 * layer + i].clone())
}

fn shape(layer: &Layer) -> [usize; 4] {
    [layer.outputs, layer.inputs, layer.kernel, layer.kernel]
}

/// features · weightᵀ + bias with the last two of `values`.
fn classify(values: &[Tensor<1>], features: Tensor<2>) -> Tensor<2> {
    let [_, count] = features.dims();
    let (weight, bias) = (&values[values.len() - 2], &values[values.len() - 1]);
    let classes = bias.dims()[0];
    features.matmul(weight.clone().reshape([classes, count]).transpose())
        + bias.clone().reshape([1, classes])
}

impl Running {
    /// Moves towards the moments of a batch, whose variance is made unbiased over `count` numbers a channel, as in PyTorch.
    fn update(&mut self, of_batch: &Moments, count: usize) {
        let unbiased = count as f32 / (count.saturating_sub(1)).max(1) as f32;
        for (mean, batch) in self.mean.iter_mut().zip(&of_batch.mean) {
            *mean += MOMENTUM * (batch - *mean);
        }
        for (variance, batch) in self.variance.iter_mut().zip(&of_batch.variance) {
            *variance += MOMENTUM * (batch * unbiased - *variance);
        }
    }

    /// scale * (x - mean) / √(variance + ε) + shift as one scale and one shift.
    fn map(&self, scale: Tensor<1>, shift: Tensor<1>) -> [Tensor<1>; 2] {
        let device = scale.device();
        let of =
            |values: Vec<f32>| Tensor::<1>::from_data(TensorData::from(values.as_slice()), &device);
        let inverse = self
            .variance
            .iter()
            .map(|variance| (1.0 / (f64::from(*variance) + EPSILON).sqrt()) as f32);
        let scale = scale * of(inverse.collect());
        let shift = shift - of(self.mean.clone()) * scale.clone();
        [scale, shift]
    }
}

/// A forward pass of training.
#[derive(Debug)]
pub struct Pass {
    leaves: Vec<Tensor<1>>,
    /// The pooled features, `[samples, features]`.
    pub features: Tensor<2>,
}

impl Pass {
    /// The classifier on these features (the pass's own, or what dropout has left of them): `[samples, classes]`.
    pub fn logits(&self, features: Tensor<2>) -> Tensor<2> {
        classify(&self.leaves, features)
    }

    /// The gradients of all parameters, in their order; zero where the loss does not depend on one. Ends the pass, so that the
    /// parameters' memory is theirs alone again.
    pub fn gradients(self, gradients: &mut Gradients) -> Vec<Tensor<1>> {
        let gradient = |leaf: &Tensor<1>| {
            leaf.grad_remove(gradients)
                .unwrap_or_else(|| leaf.clone().inner().zeros_like())
        };
        self.leaves.iter().map(gradient).collect()
    }
}
