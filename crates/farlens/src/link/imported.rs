//! Things of a peer that this side holds, and the books that a link keeps of them.

use super::{Link, trash};
use crate::object::{LocalObject, LocalStreamer, View};
use farlens_proto::{About, References};
use farlens_wire::{ObjectId, Reference, WeakReference, schema::SchemaDoc};
use futures::task::AtomicWaker;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

/// What the references of one link have in common.
pub(crate) struct Home {
    link: OnceLock<Weak<super::Inner>>,
    /// What is to be given back to the peer.
    releases: Mutex<VecDeque<(ObjectId, u64)>>,
    /// Wakes the driver, which sends releases.
    pub(crate) bell: AtomicWaker,
}

impl Home {
    pub(crate) fn new() -> Arc<Self> {
        let bell = AtomicWaker::new();
        Arc::new(Self { link: OnceLock::new(), releases: Mutex::default(), bell })
    }

    /// Says which link it is, once that exists.
    pub(crate) fn settle(&self, link: &Link) {
        let _ = self.link.set(Arc::downgrade(&link.0));
    }

    /// The link, while somebody uses it.
    pub(crate) fn link(&self) -> Option<Link> {
        self.link.get().and_then(Weak::upgrade).map(Link)
    }
}

/// A thing of the peer. It keeps the link open.
pub(crate) struct Imported {
    pub(crate) link: Option<Link>,
    pub(crate) about: About,
    object: ObjectId,
    home: Arc<Home>,
    /// How often it came.
    count: AtomicU64,
    /// The interface of an object, once somebody asked for it.
    pub(crate) described: OnceLock<Arc<SchemaDoc>>,
}

impl Imported {
    /// Whether it is the root object, which is called without having come in any table.
    pub(crate) fn is_root(&self) -> bool {
        self.object == ObjectId::ROOT
    }

    /// Whether it came over the link with this home.
    pub(crate) fn is_at(&self, home: &Arc<Home>) -> bool {
        Arc::ptr_eq(&self.home, home)
    }
}

impl Drop for Imported {
    fn drop(&mut self) {
        let count = self.count.load(Ordering::Acquire);
        if !self.is_root() {
            self.home.releases.lock().push_back((self.object, count));
            self.home.bell.wake();
        }
        // It may be the last that keeps the link.
        trash::bury(Box::new(self.link.take()));
    }
}

/// The root object of the peer of a link.
pub(crate) fn root_of(link: &Link) -> Reference {
    Reference::new(Imported {
        link: Some(link.clone()),
        about: About::Object { interface: None },
        object: ObjectId::ROOT,
        home: Arc::clone(&link.shared().home),
        count: AtomicU64::new(0),
        described: OnceLock::new(),
    })
}

/// The books of one link.
pub(crate) struct Holdings {
    home: Arc<Home>,
    root: Reference,
    living: HashMap<ObjectId, WeakReference>,
}

impl Holdings {
    pub(crate) fn new(home: Arc<Home>, root: Reference) -> Self {
        Self { home, root, living: HashMap::new() }
    }
}

impl fmt::Debug for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holdings").field("living", &self.living.len()).finish_non_exhaustive()
    }
}

impl References for Holdings {
    fn root(&self) -> Reference {
        self.root.clone()
    }

    fn origin(&self, reference: &Reference) -> Option<ObjectId> {
        // The owner of what a view is of may have all of it, unless the place is what matters.
        let view = reference.get::<View>().filter(|view| view.is_whole_for_owner());
        let imported = view.map_or(reference, View::origin).get::<Imported>()?;
        // The root object has no place in tables: who passes it on passes something of its own.
        (imported.is_at(&self.home) && !imported.is_root()).then_some(imported.object)
    }

    fn about(&self, reference: &Reference) -> Option<About> {
        if let Some(object) = reference.get::<LocalObject>() {
            return Some(About::Object { interface: Some(object.interface().fingerprint().0) });
        }
        if let Some(streamer) = reference.get::<LocalStreamer>() {
            return Some(streamer.about());
        }
        if let Some(view) = reference.get::<View>() {
            return Some(view.about());
        }
        // What came over another link is passed on as what it is there.
        reference.get::<Imported>().map(|imported| imported.about)
    }

    fn import(&mut self, object: ObjectId, about: About) -> Reference {
        let known = self.living.get(&object).and_then(WeakReference::upgrade);
        if let Some(reference) = known {
            if let Some(imported) = reference.get::<Imported>() {
                imported.count.fetch_add(1, Ordering::AcqRel);
            }
            return reference;
        }
        let (link, home) = (self.home.link(), Arc::clone(&self.home));
        let count = AtomicU64::new(1);
        let described = OnceLock::new();
        let reference = Reference::new(Imported { link, about, object, home, count, described });
        self.living.insert(object, reference.downgrade());
        reference
    }

    fn take_release(&mut self) -> Option<(ObjectId, u64)> {
        let release = self.home.releases.lock().pop_front()?;
        // It may have come again meanwhile.
        if self.living.get(&release.0).is_some_and(|living| living.upgrade().is_none()) {
            self.living.remove(&release.0);
        }
        Some(release)
    }

    fn has_releases(&self) -> bool {
        !self.home.releases.lock().is_empty()
    }
}
