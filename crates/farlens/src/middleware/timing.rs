//! Counts requests and measures how long they take.

mod figures;

pub use figures::Figures;

use super::{Asks, Completion, Middleware, Request};
use crate::Code;
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Methods that have figures of their own. The others share some.
const NAMES: usize = 256;
/// Where the figures of those go. No method has a name like this one.
const OTHER: &str = "other";

/// Counts requests by kind and calls by method, and measures how long they take.
///
/// A clone counts into the same figures, so one can be given to several servers and clients and
/// kept to look at.
///
/// ```
/// use farlens::{Server, middleware::Timing};
///
/// let timing = Timing::new();
/// let server = Server::builder().middleware(timing.clone());
/// for (name, figures) in timing.snapshot().methods {
///     println!("{name}: {} calls, half of them within {:?}", figures.count, figures.quantile(0.5));
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Timing(Arc<Mutex<Snapshot>>);

/// The figures of a [`Timing`] at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// By [`Request::kind`].
    pub kinds: BTreeMap<&'static str, Figures>,
    /// By interface and method, as in `Camera.focus`, and by [`crate::Gateway`] for look-ups. A
    /// method is listed once it has run. What was asked of methods that did not, and of more than
    /// 256 of them, is found under `other`.
    pub methods: BTreeMap<String, Figures>,
}

impl Timing {
    /// One that has counted nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was counted up to now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.0.lock().clone()
    }
}

impl Middleware for Timing {
    fn after(&self, request: &Request<'_>, completion: Completion<'_>, took: Duration) {
        let failed = !matches!(completion, Completion::Succeeded);
        let mut counted = self.0.lock();
        counted.kinds.entry(request.kind()).or_default().count(took, failed);
        if let Some(name) = method(request) {
            counted.of_method(name, has_run(completion)).count(took, failed);
        }
    }
}

impl Snapshot {
    /// The figures of a method. Peers choose the names, so one is new only when it is known that
    /// there is such a method.
    fn of_method(&mut self, name: String, has_run: bool) -> &mut Figures {
        let known = self.methods.contains_key(&name);
        let room = self.methods.len() < NAMES && has_run;
        let name = if known || room { name } else { OTHER.to_owned() };
        self.methods.entry(name).or_default()
    }
}

/// Whether that only happens to methods that there are.
fn has_run(completion: Completion<'_>) -> bool {
    match completion {
        Completion::Succeeded => true,
        Completion::Failed(error) => error.code() != Code::NO_SUCH_METHOD,
        Completion::Refused(_) | Completion::Cancelled => false,
    }
}

fn method(request: &Request<'_>) -> Option<String> {
    match &request.asks {
        Asks::Call(call) => Some(format!("{}.{}", call.interface, call.method)),
        Asks::Lookup(lookup) => Some(format!("Gateway.{}", lookup.kind.name())),
        Asks::Link { .. } | Asks::Open(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Error, KeyId,
        middleware::{Call, Target},
    };

    fn call<'a>(method: &'a str) -> Request<'a> {
        let call = Call {
            object: Target::Reference,
            interface: "Camera",
            method,
            depth: 1,
            one_way: false,
            remaining: None,
        };
        Request::new(KeyId::from_bytes([7; 32]), Asks::Call(call))
    }

    fn names(timing: &Timing) -> Vec<String> {
        timing.snapshot().methods.into_keys().collect()
    }

    #[test]
    fn a_method_is_counted_by_its_name_and_its_kind() {
        let timing = Timing::new();
        let failure = Error::new(Code::APPLICATION, "no film");
        timing.after(&call("snap"), Completion::Succeeded, Duration::from_millis(2));
        timing.clone().after(&call("snap"), Completion::Failed(&failure), Duration::from_millis(4));
        let snapshot = timing.snapshot();
        let figures = &snapshot.methods["Camera.snap"];
        assert_eq!((figures.count, figures.errors), (2, 1));
        assert_eq!(figures.mean(), Duration::from_millis(3));
        assert_eq!(&snapshot.kinds["call"], figures);
    }

    #[test]
    fn names_that_peers_make_up_are_not_kept() {
        let timing = Timing::new();
        let absent = Error::new(Code::NO_SUCH_METHOD, "none");
        let refused = Error::new(Code::NOT_PERMITTED, "no");
        for n in 0..1000 {
            let made_up = format!("m{n}");
            let completion = match n % 3 {
                0 => Completion::Failed(&absent),
                1 => Completion::Refused(&refused),
                _ => Completion::Cancelled,
            };
            timing.after(&call(&made_up), completion, Duration::ZERO);
        }
        assert_eq!(names(&timing), ["other"]);
        timing.after(&call("snap"), Completion::Succeeded, Duration::ZERO);
        timing.after(&call("snap"), Completion::Cancelled, Duration::ZERO);
        assert_eq!(names(&timing), ["Camera.snap", "other"]);
        let snapshot = timing.snapshot();
        assert_eq!(snapshot.methods["Camera.snap"].errors, 1);
        assert_eq!(snapshot.methods["other"].count, 1000);
    }

    #[test]
    fn there_are_only_so_many_names() {
        let timing = Timing::new();
        for n in 0..1000 {
            let name = format!("m{n}");
            timing.after(&call(&name), Completion::Succeeded, Duration::ZERO);
        }
        let snapshot = timing.snapshot();
        assert_eq!(snapshot.methods.len(), NAMES + 1);
        assert_eq!(snapshot.methods[OTHER].count, 1000 - NAMES as u64);
    }
}
