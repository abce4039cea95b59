//! Where things of users are put while the lock of a link is held.
//!
//! What the machines of a link let go of under its lock may hold references, and a reference may be
//! the last one to an object whose destructor is the user's. It may take long, panic, or use the
//! same link. So it waits until the thread has let go of the lock.

use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
};

type Thing = Box<dyn Any + Send>;

thread_local! {
    static TRASH: RefCell<Trash> = const { RefCell::new(Trash { locks: 0, things: Vec::new() }) };
}

struct Trash {
    /// Locks of links that this thread holds.
    locks: usize,
    things: Vec<Thing>,
}

/// Drops what may be user code: now, or when this thread holds no lock of a link any more.
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

/// Says that this thread is about to hold the lock of a link. It is dropped after that was let go.
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
