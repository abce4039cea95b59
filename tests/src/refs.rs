//! The references of a link whose shell is a test: what is exported is anything, what is imported
//! counts how often it came.

use farlens_proto::{About, Kind, References};
use farlens_wire::{Mode, ObjectId, Reference, WeakReference};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// Objects that are to be given back.
pub type Releases = Arc<Mutex<VecDeque<(ObjectId, u64)>>>;

/// Something that can be exported as an object.
#[derive(Debug)]
pub struct Thing(pub u64);

/// Something that can be exported as a streamer of entities.
#[derive(Debug)]
pub struct Lens(pub u64);

/// How often objects with these numbers were dropped.
pub type Graves = Arc<Mutex<BTreeMap<u64, u32>>>;

/// Something that can be exported as an object, whose end is written down.
#[derive(Debug)]
pub struct Mortal {
    /// Names it.
    pub number: u64,
    /// Where its end is written down.
    pub graves: Graves,
}

impl Drop for Mortal {
    fn drop(&mut self) {
        let mut graves = self.graves.lock().unwrap_or_else(PoisonError::into_inner);
        *graves.entry(self.number).or_default() += 1;
    }
}

/// An object of the peer.
#[derive(Debug)]
pub struct Imported {
    /// Its id there.
    pub object: ObjectId,
    /// What was told of it.
    pub about: About,
    count: Mutex<u64>,
    releases: Releases,
}

impl Drop for Imported {
    fn drop(&mut self) {
        let count = *self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let mut releases = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
        releases.push_back((self.object, count));
    }
}

/// What one link holds.
#[derive(Debug)]
pub struct Holdings {
    root: Reference,
    living: BTreeMap<ObjectId, WeakReference>,
    releases: Releases,
}

impl Holdings {
    /// Holds nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            root: Reference::new(Thing(0)),
            living: BTreeMap::new(),
            releases: Releases::default(),
        }
    }

    /// The same in the form that a link takes.
    #[must_use]
    pub fn boxed() -> Box<dyn References> {
        Box::new(Self::new())
    }
}

impl Default for Holdings {
    fn default() -> Self {
        Self::new()
    }
}

impl References for Holdings {
    fn root(&self) -> Reference {
        self.root.clone()
    }

    fn origin(&self, reference: &Reference) -> Option<ObjectId> {
        let imported = reference.get::<Imported>()?;
        Arc::ptr_eq(&imported.releases, &self.releases).then_some(imported.object)
    }

    fn about(&self, reference: &Reference) -> Option<About> {
        if reference.get::<Lens>().is_some() {
            let mode = Mode::READ_FILE.flags().bits();
            return Some(About::Stream {
                kind: Kind::Items,
                mode,
                append_only: false,
                schema: None,
            });
        }
        let is_object = reference.get::<Thing>().is_some() || reference.get::<Mortal>().is_some();
        is_object.then_some(About::Object { interface: None })
    }

    fn import(&mut self, object: ObjectId, about: About) -> Reference {
        let living = self.living.get(&object).and_then(WeakReference::upgrade);
        if let Some(reference) = living {
            if let Some(imported) = reference.get::<Imported>() {
                *imported.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            }
            return reference;
        }
        let releases = Arc::clone(&self.releases);
        let reference = Reference::new(Imported { object, about, count: Mutex::new(1), releases });
        self.living.insert(object, reference.downgrade());
        reference
    }

    fn take_release(&mut self) -> Option<(ObjectId, u64)> {
        let release = self.releases.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        if self.living.get(&release.0).is_some_and(|living| living.upgrade().is_none()) {
            self.living.remove(&release.0);
        }
        Some(release)
    }

    fn has_releases(&self) -> bool {
        !self.releases.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}
