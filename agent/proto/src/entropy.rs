//! Where randomness comes from: always a parameter, so that a test can fix every byte on the wire.
//! Do not reach for a global generator; a function that needs randomness takes `&dyn Entropy`.

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Overwrites all of `out` with fresh bytes.
    fn fill(&self, out: &mut [u8]);
}

/// The operating system's generator, through aws-lc.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// # Panics
    /// When the operating system has no randomness to give: nothing safe can be done without it.
    fn fill(&self, out: &mut [u8]) {
        aws_lc_rs::rand::fill(out).expect("the operating system gives randomness");
    }
}
