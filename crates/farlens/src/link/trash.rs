//! Where things wait that must not be dropped while a link's lock is held.
//!
//! Dropping an object of the user runs the user's code, and dropping the last reference to a peer's
//! object may close its link. Either would take the lock again. So who holds it leaves a mark, what
//! is dropped meanwhile is put aside, and it is dropped once the lock is gone.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
};

thread_local! {
    static LOCKS: Cell<u32> = const { Cell::new(0) };
    static PILE: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// The mark of who holds a lock. Made before the lock is taken and dropped after it is gone.
pub(crate) struct Locked(());

impl Locked {
    pub(crate) fn mark() -> Self {
        LOCKS.set(LOCKS.get() + 1);
        Self(())
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        LOCKS.set(LOCKS.get() - 1);
        if LOCKS.get() == 0 {
            // What is dropped may take a lock and put aside more.
            while let Some(thing) = PILE.with_borrow_mut(Vec::pop) {
                discard(thing);
            }
        }
    }
}

/// Drops a thing, now or when this thread holds no lock any more.
pub(crate) fn bury<T: 'static>(thing: T) {
    if LOCKS.get() == 0 {
        discard(thing);
    } else {
        PILE.with_borrow_mut(|pile| pile.push(Box::new(thing)));
    }
}

/// Drops what may be user code, which may panic.
pub(crate) fn discard<T>(thing: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(thing)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn what_is_dropped_under_a_lock_lives_until_it_is_gone() {
        let thing = Rc::new(());
        let outer = Locked::mark();
        let inner = Locked::mark();
        bury(Rc::clone(&thing));
        drop(inner);
        assert_eq!(Rc::strong_count(&thing), 2);
        drop(outer);
        assert_eq!(Rc::strong_count(&thing), 1);
        bury(Rc::clone(&thing));
        assert_eq!(Rc::strong_count(&thing), 1);
    }

    #[test]
    fn what_panics_when_it_is_dropped_harms_nobody() {
        struct Mine;
        impl Drop for Mine {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        bury(Mine);
        let locked = Locked::mark();
        bury(Mine);
        drop(locked);
    }
}
