//! Sizes of a convolution.

/// Sizes of a convolution with square kernels, and one stride and one padding (with zeros) for both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Height of the input.
    pub height: usize,
    /// Width of the input.
    pub width: usize,
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Step from one output to the next.
    pub stride: usize,
    /// Rows and columns of zeros on each side.
    pub padding: usize,
}

impl Geometry {
    /// Height of the output.
    pub fn out_height(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Width of the output.
    pub fn out_width(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Weights of one pair of channels.
    pub fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Multiplications and additions for one sample, forward.
    pub fn flops(&self) -> f64 {
        2.0 * (self.taps() * self.inputs) as f64 * self.output_len() as f64
    }

    /// Numbers of one sample's input.
    pub(crate) fn input_len(&self) -> usize {
        self.height * self.width * self.inputs
    }

    /// Numbers of one sample's output.
    pub(crate) fn output_len(&self) -> usize {
        self.out_height() * self.out_width() * self.outputs
    }
}

/// Along one axis: where the terms of an output come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Axis {
    /// From the input of a convolution to its output.
    Forward {
        /// Step from one output to the next.
        stride: usize,
        /// Zeros before the first.
        padding: usize,
        /// Length of what is read.
        len: usize,
    },
    /// From the gradient of the output to that of the input.
    Backward {
        /// As of the convolution.
        stride: usize,
        /// As of the convolution.
        padding: usize,
        /// Length of what is read: the output.
        len: usize,
    },
}

impl Axis {
    /// What tap `tap` of the output at `at` reads; nothing where that is a zero of the padding, or between two steps.
    #[inline(always)]
    pub(crate) fn source(self, at: usize, tap: usize) -> Option<usize> {
        match self {
            Self::Forward {
                stride,
                padding,
                len,
            } => {
                let i = (at * stride + tap).checked_sub(padding)?;
                (i < len).then_some(i)
            }
            Self::Backward {
                stride,
                padding,
                len,
            } => {
                let i = (at + padding).checked_sub(tap)?;
                (i % stride == 0 && i / stride < len).then_some(i / stride)
            }
        }
    }
}
