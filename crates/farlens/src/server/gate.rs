//! How many strangers may stand at the door: connections whose peer is not let in yet.

use parking_lot::Mutex;
use std::{collections::BTreeMap, io, net::IpAddr, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// Connections that shake hands at a time.
const PENDING: usize = 64;
/// Connections from one address that shake hands at a time; loopback addresses may have all.
const PENDING_PER_SOURCE: usize = 8;
/// How long accepting rests when the system has no descriptors or memory left.
const REST: Duration = Duration::from_millis(200);

/// Knows the connections that are not links yet.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Mutex<Door>>);

#[derive(Default)]
struct Door {
    next: u64,
    /// Who stands there, the longest waiting first, and how they are sent away.
    pending: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
}

/// The right to shake hands; dropping it makes room for another.
pub(super) struct Pass {
    gate: Gate,
    number: u64,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Lets a connection in to shake hands. Where too many do, the one that has taken longest is
    /// sent away, of the same source if that has too many: honest ones take little time. The second
    /// value gives a result once this one is to go.
    pub(super) fn enter(&self, from: IpAddr) -> (Pass, oneshot::Receiver<()>) {
        let (send, sent_away) = oneshot::channel();
        let mut door = self.0.lock();
        let allowed = if from.is_loopback() { PENDING } else { PENDING_PER_SOURCE };
        let own = || door.pending.iter().filter(|(_, (source, _))| *source == from);
        let longest = match own().count() >= allowed {
            true => own().next(),
            false => door.pending.iter().next().filter(|_| door.pending.len() >= PENDING),
        };
        if let Some(longest) = longest.map(|(&number, _)| number)
            && let Some((_, send_away)) = door.pending.remove(&longest)
        {
            // Whoever does not listen any more is gone already.
            let _ = send_away.send(());
        }
        let number = door.next;
        door.next += 1;
        door.pending.insert(number, (from, send));
        (Pass { gate: self.clone(), number }, sent_away)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.0.lock().pending.remove(&self.number);
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
    use std::net::Ipv4Addr;

    fn address(n: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, n).into()
    }

    #[test]
    fn a_crowd_sends_its_own_longest_waiting_away() {
        let gate = Gate::new();
        let (_honest, mut honest) = gate.enter(address(1));
        let mut crowd: Vec<_> = (0..20).map(|_| gate.enter(address(2))).collect();
        assert!(honest.try_recv().is_err());
        let gone: Vec<_> = crowd.iter_mut().map(|(_, away)| away.try_recv().is_ok()).collect();
        assert_eq!(gone, [[true; 12].as_slice(), &[false; 8]].concat());
        drop(crowd);
        assert_eq!(gate.0.lock().pending.len(), 1);
    }

    #[test]
    fn when_all_places_are_taken_the_longest_waiting_goes() {
        let gate = Gate::new();
        let mut all: Vec<_> = (0..PENDING as u8).map(|n| gate.enter(address(n))).collect();
        assert!(all.iter_mut().all(|(_, away)| away.try_recv().is_err()));
        let _one_more = gate.enter(address(200));
        assert!(all[0].1.try_recv().is_ok() && all[1].1.try_recv().is_err());
        assert_eq!(gate.0.lock().pending.len(), PENDING);
    }
}
