//! How many strangers may stand at the door: connections whose peer is not let in yet.

use parking_lot::Mutex;
use std::{collections::HashMap, io, net::IpAddr, sync::Arc, time::Duration};

/// Connections that shake hands at a time.
const PENDING: usize = 64;
/// Connections from one address that shake hands at a time; loopback addresses may have all.
const PENDING_PER_SOURCE: usize = 8;
/// How long accepting rests when the system has no descriptors or memory left.
const REST: Duration = Duration::from_millis(200);

/// Counts the connections that are not links yet.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// The right to shake hands; dropping it makes room for another.
pub(super) struct Pass {
    gate: Gate,
    from: IpAddr,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Lets a connection in to shake hands, unless too many do.
    pub(super) fn enter(&self, from: IpAddr) -> Option<Pass> {
        let mut pending = self.0.lock();
        let all: usize = pending.values().sum();
        let own = pending.get(&from).copied().unwrap_or(0);
        let allowed = if from.is_loopback() { PENDING } else { PENDING_PER_SOURCE };
        if all >= PENDING || own >= allowed {
            return None;
        }
        pending.insert(from, own + 1);
        Some(Pass { gate: self.clone(), from })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut pending = self.gate.0.lock();
        if let Some(own) = pending.get_mut(&self.from) {
            *own -= 1;
            if *own == 0 {
                pending.remove(&self.from);
            }
        }
    }
}

/// Waits after a failed accept where going on at once would spin.
pub(super) async fn back_off(error: &io::Error) {
    let exhausted = rustix::io::Errno::from_io_error(error).is_some_and(|errno| {
        use rustix::io::Errno;
        [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS].contains(&errno)
    });
    if exhausted {
        tracing::warn!(%error, "no connection can be accepted for now");
        tokio::time::sleep(REST).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_share_and_gets_it_back() {
        let gate = Gate::new();
        let from: IpAddr = [10, 0, 0, 1].into();
        let passes: Vec<_> = (0..PENDING_PER_SOURCE).filter_map(|_| gate.enter(from)).collect();
        assert_eq!(passes.len(), PENDING_PER_SOURCE);
        assert!(gate.enter(from).is_none());
        assert!(gate.enter([10, 0, 0, 2].into()).is_some());
        drop(passes);
        assert!(gate.enter(from).is_some());
    }

    #[test]
    fn nobody_gets_in_when_the_door_is_full() {
        let gate = Gate::new();
        let local: IpAddr = [127, 0, 0, 1].into();
        let passes: Vec<_> = (0..PENDING).filter_map(|_| gate.enter(local)).collect();
        assert_eq!(passes.len(), PENDING);
        assert!(gate.enter([10, 0, 0, 2].into()).is_none());
    }
}
