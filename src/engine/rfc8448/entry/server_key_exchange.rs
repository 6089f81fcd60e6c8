//! Where the traces of RFC 8448 enter.
use super::*;

impl WaitSecondClientHello {
    /// As after another HelloRetryRequest than ours.
    pub(in crate::engine) fn with_transcript(mut self, transcript: Transcript) -> Self {
        self.0.retry.as_mut().expect("it was sent").transcript = transcript;
        self
    }
}
