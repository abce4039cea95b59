//! Where things of users are put while the lock of a link, or of live data, is held.
//!
//! What is let go of under such a lock may hold references, and a reference may be
//! the last one to an object whose destructor is the user's. It may take long, panic, or use the
//! same link or data. So it waits until the thread has let go of the lock.

use parking_lot::{Mutex, MutexGuard};
use std::{
    any::Any,
    cell::RefCell,
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
};

type Thing = Box<dyn Any + Send>;

thread_local! {
    static TRASH: RefCell<Trash> = const { RefCell::new(Trash { locks: 0, things: Vec::new() }) };
}

struct Trash {
    /// Such locks that this thread holds.
    locks: usize,
    things: Vec<Thing>,
}

/// Drops what may be user code: now, or when this thread holds none of these locks any more.
pub(crate) fn bury(thing: Thing) {
    let mut thing = Some(thing);
    // A thread that is ending has no trash any more, and holds no lock.
    let _ = TRASH.try_with(|trash| {
        let mut trash = trash.borrow_mut();
        if trash.locks > 0 {
            trash.things.extend(thing.take());
        }
    });
    discard(thing);
}

/// Drops what may be user code, which may panic.
pub(crate) fn discard<T>(thing: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(thing)));
}

/// Says that this thread is about to hold such a lock. It is dropped after that was let go.
pub(super) struct Lid(());

impl Lid {
    pub(super) fn close() -> Self {
        TRASH.with_borrow_mut(|trash| trash.locks += 1);
        Self(())
    }
}

impl Drop for Lid {
    fn drop(&mut self) {
        let things = TRASH.with_borrow_mut(|trash| {
            trash.locks -= 1;
            if trash.locks == 0 { std::mem::take(&mut trash.things) } else { Vec::new() }
        });
        things.into_iter().for_each(discard);
    }
}

/// Data under a lock, and the lid that lies over it.
pub(crate) struct Covered<'a, T> {
    // Dropped before the lid.
    inner: MutexGuard<'a, T>,
    _lid: Lid,
}

impl<'a, T> Covered<'a, T> {
    pub(crate) fn lock(mutex: &'a Mutex<T>) -> Self {
        let lid = Lid::close();
        Self { inner: mutex.lock(), _lid: lid }
    }

    /// The lock itself, to wait on a condition.
    pub(crate) const fn inner(&mut self) -> &mut MutexGuard<'a, T> {
        &mut self.inner
    }
}

impl<T> Deref for Covered<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for Covered<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Weak};

    fn buried() -> Weak<()> {
        let thing = Arc::new(());
        let left = Arc::downgrade(&thing);
        bury(Box::new(thing));
        left
    }

    #[test]
    fn without_a_lock_nothing_waits() {
        assert!(buried().upgrade().is_none());
    }

    #[test]
    fn things_wait_until_the_last_lock_is_gone() {
        let outer = Lid::close();
        let inner = Lid::close();
        let thing = buried();
        drop(inner);
        assert!(thing.upgrade().is_some());
        drop(outer);
        assert!(thing.upgrade().is_none());
    }

    #[test]
    fn a_destructor_that_panics_harms_no_other_thing() {
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("a destructor of a test");
            }
        }
        let lid = Lid::close();
        bury(Box::new(Bad));
        let thing = buried();
        drop(lid);
        assert!(thing.upgrade().is_none());
        bury(Box::new(Bad));
    }
}
