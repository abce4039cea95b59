//! What the two sides hold of each other: objects that this side exports, and those of the peer.
//!
//! An export lives as long as the peer holds it. Each time that it stands in a table which goes
//! out counts one; a release gives some of these back. Ids are never reused, so a release and a
//! table that cross each other do no harm.

use crate::error::Violation;
use bytes::BytesMut;
use farlens_wire::{
    Code, Limits, ObjectId, Reference,
    frame::{
        Fault,
        call::{About, Entry, Release},
        put_control,
    },
};
use std::{collections::BTreeMap, fmt};

/// What only the shell understands of references.
pub trait References: fmt::Debug + Send {
    /// What the peer reaches without having got a reference to it.
    fn root(&self) -> Reference;

    /// The peer's object that a reference stands for, if that came over this very link.
    fn origin(&self, reference: &Reference) -> Option<ObjectId>;

    /// What the peer is told of a reference; nothing where it is not fit for the peer.
    fn about(&self, reference: &Reference) -> Option<About>;

    /// A reference to an object of the peer, which came in a table once more.
    fn import(&mut self, object: ObjectId, about: About) -> Reference;

    /// An object of the peer whose last reference here is gone, and how often it had come.
    fn take_release(&mut self) -> Option<(ObjectId, u64)>;

    /// Whether [`References::take_release`] has something.
    fn has_releases(&self) -> bool;
}

#[derive(Debug)]
struct Export {
    reference: Reference,
    /// How often the peer got it and has not given it back.
    held: u64,
}

/// The tables of one link.
#[derive(Debug)]
pub(crate) struct Refs {
    shell: Box<dyn References>,
    root: Reference,
    exports: BTreeMap<ObjectId, Export>,
    /// The exports by the number of their reference.
    known: BTreeMap<u64, ObjectId>,
    last: ObjectId,
    /// How often each object of the peer came and was not given back.
    imports: BTreeMap<ObjectId, u64>,
    allowed: u32,
    over: bool,
}

/// What a stream needs to send elements with references.
pub(crate) struct Lender<'a> {
    pub(super) refs: &'a mut Refs,
    pub(super) peer_allows: u64,
}

impl Lender<'_> {
    /// The table as it goes out now, which the peer holds from then on.
    pub(crate) fn lend(&mut self, table: &[Reference]) -> Result<Vec<Entry>, Fault> {
        self.refs.lend(table, self.peer_allows)
    }
}

impl Refs {
    pub(super) fn new(shell: Box<dyn References>, allowed: u32) -> Self {
        Self {
            root: shell.root(),
            shell,
            exports: BTreeMap::new(),
            known: BTreeMap::new(),
            last: ObjectId::ROOT,
            imports: BTreeMap::new(),
            allowed,
            over: false,
        }
    }

    pub(super) fn exports(&self) -> usize {
        self.exports.len()
    }

    pub(super) fn imports(&self) -> usize {
        self.imports.len()
    }

    /// Whether a table may be sent now to a peer that holds `peer_allows` references.
    pub(super) fn check(&self, table: &[Reference], peer_allows: u64) -> Result<(), Fault> {
        if table.is_empty() {
            return Ok(());
        }
        if table.len() > Limits::REFERENCES {
            let text = format!("a message carries {} references at most", Limits::REFERENCES);
            return Err(Fault::new(Code::TOO_MANY_REFERENCES, text));
        }
        let mut new = 0usize;
        for reference in table {
            if self.shell.origin(reference).is_some() {
                continue;
            }
            if self.shell.about(reference).is_none() {
                let text = "a reference can be sent only on the link that it came from";
                return Err(Fault::new(Code::UNSUPPORTED, text));
            }
            new = new.saturating_add(usize::from(!self.known.contains_key(&reference.number())));
        }
        let allowed = peer_allows.min(u64::from(self.allowed));
        if self.exports.len().saturating_add(new) as u64 > allowed {
            let text = format!("the other side holds {allowed} references of this link at most");
            return Err(Fault::new(Code::TOO_MANY_REFERENCES, text));
        }
        Ok(())
    }

    /// The table as it goes out now, which the peer holds from then on.
    pub(super) fn lend(
        &mut self,
        table: &[Reference],
        peer_allows: u64,
    ) -> Result<Vec<Entry>, Fault> {
        self.check(table, peer_allows)?;
        Ok(table.iter().filter_map(|reference| self.lend_one(reference)).collect())
    }

    fn lend_one(&mut self, reference: &Reference) -> Option<Entry> {
        if let Some(object) = self.shell.origin(reference) {
            return Some(Entry::Yours(object));
        }
        let about = self.shell.about(reference)?;
        let object = match self.known.get(&reference.number()) {
            Some(&object) => object,
            None => {
                self.last = ObjectId(self.last.0.saturating_add(1));
                self.known.insert(reference.number(), self.last);
                self.last
            }
        };
        let export = self.exports.entry(object);
        let export = export.or_insert_with(|| Export { reference: reference.clone(), held: 0 });
        export.held = export.held.saturating_add(1);
        Some(Entry::Mine(object, about))
    }

    /// The peer's object that a reference stands for.
    pub(super) fn origin(&self, reference: &Reference) -> Option<ObjectId> {
        self.shell.origin(reference)
    }

    /// The references of a table that has come.
    pub(super) fn receive(&mut self, table: &[Entry]) -> Result<Vec<Reference>, Violation> {
        if table.len() > Limits::REFERENCES {
            return Err(Violation::protocol("a table has more than 128 references"));
        }
        table.iter().map(|&entry| self.receive_one(entry)).collect()
    }

    fn receive_one(&mut self, entry: Entry) -> Result<Reference, Violation> {
        match entry {
            Entry::Mine(ObjectId::ROOT, _) | Entry::Yours(ObjectId::ROOT) => {
                Err(Violation::protocol("the root object stands in no table"))
            }
            Entry::Mine(object, about) => {
                let full = self.imports.len() >= self.allowed as usize;
                if full && !self.imports.contains_key(&object) {
                    let text = format!("more than {} references at a time", self.allowed);
                    return Err(Violation::new(Code::TOO_MANY_REFERENCES, text));
                }
                let held = self.imports.entry(object).or_default();
                *held = held.saturating_add(1);
                Ok(self.shell.import(object, about))
            }
            Entry::Yours(object) => match self.target(object)? {
                Some(reference) => Ok(reference),
                None => Err(Violation::protocol("a table names an object that was given back")),
            },
            _ => Err(Violation::protocol("a reference of an unknown kind")),
        }
    }

    /// The export with an id that the peer names; nothing if it has been given back.
    pub(super) fn target(&self, object: ObjectId) -> Result<Option<Reference>, Violation> {
        if object == ObjectId::ROOT {
            return Ok(Some(self.root.clone()));
        }
        if object > self.last {
            return Err(Violation::protocol("an object that was never exported"));
        }
        Ok(self.exports.get(&object).map(|export| export.reference.clone()))
    }

    /// The peer gives an object back; it is returned once the peer holds it no more.
    pub(super) fn handle_release(
        &mut self,
        object: ObjectId,
        count: u64,
    ) -> Result<Option<Reference>, Violation> {
        let excess = || Violation::protocol("more of an object was given back than was held");
        let export = self.exports.get_mut(&object).ok_or_else(excess)?;
        export.held = export.held.checked_sub(count).filter(|_| count > 0).ok_or_else(excess)?;
        if export.held > 0 {
            return Ok(None);
        }
        let reference = self.exports.remove(&object).map(|export| export.reference);
        if let Some(reference) = &reference {
            self.known.remove(&reference.number());
        }
        Ok(reference)
    }

    pub(super) fn has_output(&self) -> bool {
        !self.over && self.shell.has_releases()
    }

    /// Appends what is to be given back, until `out` has `limit` bytes.
    pub(super) fn put(&mut self, out: &mut BytesMut, limit: usize) {
        while !self.over && out.len() < limit {
            let Some((object, count)) = self.shell.take_release() else { return };
            if let Some(held) = self.imports.get_mut(&object) {
                *held = held.saturating_sub(count);
                if *held == 0 {
                    self.imports.remove(&object);
                }
            }
            put_control(out, object.0, &Release { count });
        }
    }

    /// The link is over: nothing is held any more.
    pub(super) fn end(&mut self) -> Vec<Reference> {
        self.over = true;
        self.known.clear();
        self.imports.clear();
        std::mem::take(&mut self.exports).into_values().map(|export| export.reference).collect()
    }
}
