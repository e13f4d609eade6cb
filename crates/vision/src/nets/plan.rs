//! What a residual network consists of.

use era_nn::conv::Geometry;
use serde::{Deserialize, Serialize};

/// A network by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arch {
    /// Three stages of one basic block, 16, 32 and 64 channels (He et al. 2016, section 4.2, n = 1).
    #[serde(rename = "resnet-8")]
    ResNet8,
    /// Three stages of three basic blocks, 16, 32 and 64 channels (He et al. 2016, section 4.2, n = 3). Shortcuts that change the
    /// shape are 1×1 convolutions, where the paper pads with zeros (its option A): 0.2746 million parameters for its 0.27.
    #[serde(rename = "resnet-20")]
    ResNet20,
    /// Four stages of two basic blocks, 64 to 512 channels.
    #[serde(rename = "resnet-18")]
    ResNet18,
    /// Four stages of 3, 4, 6, 3 bottlenecks, 256 to 2,048 channels; version 1.5, as torchvision and timm have it: the stride is in
    /// the 3×3 convolution.
    #[serde(rename = "resnet-50")]
    ResNet50,
}

/// What comes before the first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// A 3×3 convolution: for images of 32×32.
    Cifar,
    /// A 7×7 convolution of stride 2 and a 3×3 maximum of stride 2: for images of 224×224.
    Imagenet,
}

/// Blocks of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Number of blocks.
    pub blocks: usize,
    /// Channels of their 3×3 convolutions.
    pub width: usize,
    /// Stride of the first.
    pub stride: usize,
}

/// What a network consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What comes before the first block.
    pub stem: Stem,
    /// Channels of the stem.
    pub stem_width: usize,
    /// Stages in order.
    pub stages: Vec<Stage>,
    /// Three convolutions a block, the last with four times the width, instead of two.
    pub bottleneck: bool,
    /// Channels of images.
    pub channels: usize,
    /// Number of classes.
    pub classes: usize,
}

impl Plan {
    /// The network `arch` for images with `channels` channels.
    pub fn new(arch: Arch, stem: Stem, channels: usize, classes: usize) -> Self {
        let (stem_width, blocks, bottleneck): (usize, &[usize], bool) = match arch {
            Arch::ResNet8 => (16, &[1, 1, 1], false),
            Arch::ResNet20 => (16, &[3, 3, 3], false),
            Arch::ResNet18 => (64, &[2, 2, 2, 2], false),
            Arch::ResNet50 => (64, &[3, 4, 6, 3], true),
        };
        let stages = blocks.iter().enumerate().map(|(index, blocks)| Stage {
            blocks: *blocks,
            width: stem_width << index,
            stride: if index == 0 { 1 } else { 2 },
        });
        Self {
            stem,
            stem_width,
            stages: stages.collect(),
            bottleneck,
            channels,
            classes,
        }
    }

    /// How many times wider a block's output is than its 3×3 convolution.
    pub(crate) fn expansion(&self) -> usize {
        if self.bottleneck { 4 } else { 1 }
    }

    /// Channels after the last stage.
    pub fn features(&self) -> usize {
        let last = self
            .stages
            .last()
            .map_or(self.stem_width, |stage| stage.width * self.expansion());
        last.max(1)
    }

    /// Multiplications and additions of the forward pass of one image, convolutions and classifier.
    pub fn flops(&self, height: usize, width: usize) -> f64 {
        let mut size = [height, width];
        let mut total = 2.0 * (self.features() * self.classes) as f64;
        for layer in self.layers() {
            let from = if layer.shortcut {
                layer.entry(&mut size)
            } else {
                size
            };
            let geometry = layer.geometry(from);
            total += geometry.flops();
            if !layer.shortcut {
                size = [geometry.out_height(), geometry.out_width()];
                if layer.pooled {
                    size = size.map(|len| len.div_ceil(2));
                }
            }
        }
        total
    }

    /// Every convolution with its normalisation, in the order of the parameters in a PyTorch module.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        let (kernel, stride) = match self.stem {
            Stem::Cifar => (3, 1),
            Stem::Imagenet => (7, 2),
        };
        let mut layers = vec![Layer {
            conv: "conv1".to_owned(),
            norm: "bn1".to_owned(),
            inputs: self.channels,
            outputs: self.stem_width,
            kernel,
            stride,
            last: false,
            shortcut: false,
            pooled: self.stem == Stem::Imagenet,
        }];
        let mut inputs = self.stem_width;
        for (number, stage) in self.stages.iter().enumerate() {
            for block in 0..stage.blocks {
                let stride = if block == 0 { stage.stride } else { 1 };
                let prefix = format!("layer{}.{block}", number + 1);
                let outputs = stage.width * self.expansion();
                layers.extend(self.block(&prefix, [inputs, stage.width, outputs], stride));
                inputs = outputs;
            }
        }
        layers
    }

    fn block(
        &self,
        prefix: &str,
        [inputs, width, outputs]: [usize; 3],
        stride: usize,
    ) -> Vec<Layer> {
        let convolutions: &[[usize; 4]] = if self.bottleneck {
            &[
                [inputs, width, 1, 1],
                [width, width, 3, stride],
                [width, outputs, 1, 1],
            ]
        } else {
            &[[inputs, width, 3, stride], [width, outputs, 3, 1]]
        };
        let count = convolutions.len();
        let layer = |index: usize, [inputs, outputs, kernel, stride]: [usize; 4]| Layer {
            conv: format!("{prefix}.conv{}", index + 1),
            norm: format!("{prefix}.bn{}", index + 1),
            inputs,
            outputs,
            kernel,
            stride,
            last: index + 1 == count,
            shortcut: false,
            pooled: false,
        };
        let mut layers: Vec<Layer> = convolutions
            .iter()
            .copied()
            .enumerate()
            .map(|(index, sizes)| layer(index, sizes))
            .collect();
        if stride != 1 || inputs != outputs {
            layers.push(Layer {
                conv: format!("{prefix}.downsample.0"),
                norm: format!("{prefix}.downsample.1"),
                shortcut: true,
                ..layer(0, [inputs, outputs, 1, stride])
            });
        }
        layers
    }
}

/// A convolution and its normalisation.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Name of the convolution, as in torchvision and timm.
    pub(crate) conv: String,
    /// Name of the normalisation.
    pub(crate) norm: String,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    /// Whether it ends a block: what the block was given is added, and ReLU follows.
    pub(crate) last: bool,
    /// Whether it is a block's shortcut, which stands behind the block's other layers.
    pub(crate) shortcut: bool,
    /// Whether a 3×3 maximum of stride 2 follows.
    pub(crate) pooled: bool,
}

impl Layer {
    pub(crate) fn padding(&self) -> usize {
        self.kernel / 2
    }

    fn geometry(&self, [height, width]: [usize; 2]) -> Geometry {
        Geometry {
            inputs: self.inputs,
            outputs: self.outputs,
            height,
            width,
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding(),
        }
    }

    /// The size at the entry of the block whose shortcut this is: its exit times the stride.
    fn entry(&self, exit: &mut [usize; 2]) -> [usize; 2] {
        exit.map(|len| len * self.stride)
    }
}
