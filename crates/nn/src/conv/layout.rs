//! From `[N, C, H, W]` to blocks of sixteen samples and back.

use burn::tensor::{Device, Tensor, TensorData};

use super::lanes::LANES;

/// `[N, C, H, W]`, row major, as `[B, H, W, C, 16]` with zeros in the lanes beyond N.
///
/// # Panics
/// Where `images` is not as long as its shape says.
pub fn block(images: &[f32], shape: [usize; 4], device: &Device) -> Tensor<5> {
    let [samples, channels, height, width] = shape;
    let (blocks, pixels) = (samples.div_ceil(LANES), height * width);
    assert_eq!(
        images.len(),
        samples * channels * pixels,
        "images must be as long as their shape says"
    );
    let mut values = vec![0.0; blocks * pixels * channels * LANES];
    for (sample, image) in images.chunks_exact(channels * pixels).enumerate() {
        let start = sample / LANES * pixels * channels * LANES + sample % LANES;
        for (channel, plane) in image.chunks_exact(pixels).enumerate() {
            let out = values[start + channel * LANES..]
                .iter_mut()
                .step_by(channels * LANES);
            for (out, pixel) in out.zip(plane) {
                *out = *pixel;
            }
        }
    }
    let shape = [blocks, height, width, channels, LANES];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The first `samples` of `[B, H, W, C, 16]` as `[N, C, H, W]`.
pub fn unblock(tensor: Tensor<5>, samples: usize) -> Tensor<4> {
    let [blocks, height, width, channels, lanes] = tensor.dims();
    tensor
        .permute([0, 4, 3, 1, 2])
        .reshape([blocks * lanes, channels, height, width])
        .narrow(0, 0, samples)
}
