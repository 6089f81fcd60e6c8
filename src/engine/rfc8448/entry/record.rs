//! Where the traces of RFC 8448 enter.
use super::*;

impl Records {
    /// Drops what waits to be sent, to put another's message in its place.
    pub(in crate::engine) fn forget_unsent(&mut self) {
        self.queued.clear();
        self.sent(self.outgoing.len());
    }
}
