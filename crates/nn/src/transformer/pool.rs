//! Memory of large tensors that is used again.
//!
//! A step of training allocates the same few hundred megabytes each time. Given back to the operating system, every page of them is cleared
//! anew when it is touched again, and that costs as much as half of the arithmetic. So buffers of tensors made here come back to a pool
//! when the tensor is dropped. Tensors and pool together never hold more than tensors alone have held at one moment.

use std::mem::{MaybeUninit, take};
use std::sync::{Mutex, PoisonError};

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape};
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty};

/// Smaller ones the allocator keeps well enough; numbers of 4 bytes.
const SMALLEST: usize = 1 << 16;

#[derive(Debug)]
struct Pool {
    /// The one that came last is last.
    free: Vec<Vec<f32>>,
    free_len: usize,
    live: usize,
    peak: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    free: Vec::new(),
    free_len: 0,
    live: 0,
    peak: 0,
});

impl Pool {
    /// The smallest that is large enough, unless most of it would lie idle; of equals the one that came last, as it may be in a cache.
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        let fits = |buffer: &Vec<f32>| (len..=2 * len).contains(&buffer.capacity());
        let free = self.free.iter().enumerate().rev();
        let (index, _) = free
            .filter(|(_, buffer)| fits(buffer))
            .min_by_key(|(_, buffer)| buffer.capacity())?;
        let buffer = self.free.remove(index);
        self.free_len -= buffer.capacity();
        Some(buffer)
    }

    fn give(&mut self, buffer: Vec<f32>) {
        self.live = self.live.saturating_sub(buffer.capacity());
        self.free_len += buffer.capacity();
        self.free.push(buffer);
        self.shrink();
    }

    /// Lets go of the oldest until the peak is kept.
    fn shrink(&mut self) {
        while self.live + self.free_len > self.peak && !self.free.is_empty() {
            self.free_len -= self.free.remove(0).capacity();
        }
    }
}

/// `len` values that are whatever stood in the memory before.
pub(crate) fn buffer(len: usize) -> Vec<f32> {
    if len < SMALLEST {
        return vec![0.0; len];
    }
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let found = pool.take(len);
    pool.live += found.as_ref().map_or(len, Vec::capacity);
    pool.peak = pool.peak.max(pool.live);
    pool.shrink();
    drop(pool);
    match found {
        Some(mut buffer) => {
            buffer.resize(len, 0.0);
            buffer
        }
        None => vec![0.0; len],
    }
}

/// `len` zeros.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    let mut values = buffer(len);
    values.fill(0.0);
    values
}

/// Gives a buffer back that became no tensor.
pub(crate) fn give(buffer: Vec<f32>) {
    if buffer.capacity() >= SMALLEST {
        POOL.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .give(buffer);
    }
}

/// A tensor with a [`buffer`]'s memory, which comes back when the last that shares it is dropped.
pub(crate) fn tensor(values: Vec<f32>, shape: [usize; 3]) -> FlexTensor {
    if values.len() < SMALLEST {
        return crate::flex::tensor(values, shape);
    }
    assert_eq!(values.len(), shape.iter().product::<usize>());
    let len = size_of_val(values.as_slice());
    // SAFETY: the controller's memory is a slice of `len` initialised bytes.
    #[expect(
        unsafe_code,
        reason = "memory that comes back needs an owner of its own"
    )]
    let bytes = unsafe { Bytes::from_controller(Box::new(Pooled(values)), len) };
    let layout = Layout::contiguous(Shape::from(shape));
    FlexTensor::new(bytes, layout, DType::F32)
}

/// The owner of a tensor's memory.
struct Pooled(Vec<f32>);

impl Drop for Pooled {
    fn drop(&mut self) {
        give(take(&mut self.0));
    }
}

impl AllocationController for Pooled {
    fn alloc_align(&self) -> usize {
        align_of::<f32>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    #[expect(unsafe_code, reason = "the trait's own contract")]
    unsafe fn memory_mut(
        &mut self,
        _: AccessPolicy,
    ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let len = size_of_val(self.0.as_slice());
        // SAFETY: floats are readable as bytes; the caller vouches to write initialised ones only, and all of those make floats.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), len) })
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let len = size_of_val(self.0.as_slice());
        // SAFETY: floats are readable as bytes.
        #[expect(unsafe_code, reason = "bytes of floats")]
        Ok(unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), len) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_keeps_no_more_than_the_peak_and_the_best_fit_is_taken() {
        let mut pool = Pool {
            free: Vec::new(),
            free_len: 0,
            live: 300,
            peak: 300,
        };
        pool.give(Vec::with_capacity(100));
        pool.give(Vec::with_capacity(150));
        assert_eq!((pool.live, pool.free_len), (50, 250));
        assert!(pool.take(40).is_none() && pool.take(151).is_none());
        assert_eq!(pool.take(90).map(|buffer| buffer.capacity()), Some(100));
        pool.live += 200;
        pool.shrink();
        assert_eq!((pool.live, pool.free_len), (250, 0));
    }

    #[test]
    fn tensors_share_and_copy_as_others_do() {
        let values: Vec<f32> = (0..SMALLEST).map(|i| i as f32).collect();
        let mut one = tensor(values.clone(), [1, 1, SMALLEST]);
        let other = one.clone();
        one.storage_mut::<f32>()[0] = 7.0;
        assert_eq!(other.storage::<f32>(), values);
        assert_eq!(one.storage::<f32>()[..2], [7.0, 1.0]);
        let back: Vec<f32> = one.into_data().try_into_vec().expect("32-bit floats");
        assert_eq!(back[1..], values[1..]);
    }
}
