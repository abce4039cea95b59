//! Open invites of a running server.
//!
//! ```text
//!            redeem              confirm
//!   open ------------> reserved ---------> used
//!    ^                    |
//!    +---- drop ----------+
//! ```
//!
//! A use is reserved while the server writes the client's key down, and spent only once that is on
//! disk. Nothing is kept across restarts: an invite ends with the process that made it.

use crate::{Code, Error, Grant, Invite, Result, tls::random_bytes};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    fmt,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, SystemTime},
};
use subtle::ConstantTimeEq;

/// The invites that a server has handed out. A clone shares the book.
#[derive(Clone, Default)]
pub struct Invites(Arc<Mutex<HashMap<[u8; 8], Open>>>);

/// What stands in the book until every use is spent.
struct Open {
    invite: Invite,
    grants: Vec<Grant>,
    free: u32,
    reserved: u32,
}

impl Invites {
    /// Open invites at most; about 200 bytes each.
    pub const MAX_OPEN: usize = 1024;

    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an invite that gives `grants` to as many keys as it has `uses`, until `ttl` has passed
    /// since `now`.
    ///
    /// # Errors
    ///
    /// [`Code::OVERLOADED`] if [`Invites::MAX_OPEN`] are open, [`Code::INTERNAL`] without random
    /// bytes.
    pub fn create(
        &self,
        grants: Vec<Grant>,
        uses: NonZeroU32,
        ttl: Duration,
        now: SystemTime,
    ) -> Result<Invite> {
        let invite = Invite {
            id: random_bytes()?,
            secret: random_bytes()?,
            expires: unix_seconds(now).saturating_add(ttl.as_secs()),
        };
        let mut book = self.0.lock();
        book.retain(|_, open| open.invite.expires >= unix_seconds(now) || open.reserved > 0);
        if book.len() >= Self::MAX_OPEN {
            let message = format!("{} invites are open already", book.len());
            return Err(Error::new(Code::OVERLOADED, message)
                .with_hint("let some expire, or give one invite more uses"));
        }
        let open = Open { invite: invite.clone(), grants, free: uses.get(), reserved: 0 };
        book.insert(invite.id, open);
        Ok(invite)
    }

    /// Reserves one use for whoever shows this id and secret.
    ///
    /// Time does not tell how much of a wrong secret is right. Two clients never share a use. A
    /// client that is authorised already should not get here: it would spend a use.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_INVITE`]. It says *expired* or *used up* only to those who know the secret.
    pub fn redeem(&self, id: &[u8; 8], secret: &[u8; 16], now: SystemTime) -> Result<Redemption> {
        let mut book = self.0.lock();
        let open = book.get_mut(id).filter(|open| open.invite.secret.ct_eq(secret).into());
        let open = open.ok_or_else(|| bad("is unknown here, used up or expired"))?;
        if open.invite.expires < unix_seconds(now) {
            return Err(bad("has expired"));
        }
        open.free = open.free.checked_sub(1).ok_or_else(|| bad("is in use by other clients"))?;
        open.reserved += 1;
        let grants = open.grants.clone();
        Ok(Redemption { invites: self.clone(), id: *id, grants, confirmed: false })
    }

    /// Takes a reserved use back, or spends it.
    fn settle(&self, id: &[u8; 8], spent: bool) {
        let mut book = self.0.lock();
        let Some(open) = book.get_mut(id) else { return };
        open.reserved -= 1;
        open.free += u32::from(!spent);
        if open.free + open.reserved == 0 {
            book.remove(id);
        }
    }
}

impl fmt::Debug for Invites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invites").field("open", &self.0.lock().len()).finish()
    }
}

/// A reserved use of an invite. Dropped without [`Redemption::confirm`] it can be used again.
#[must_use = "dropping it gives the use back"]
pub struct Redemption {
    invites: Invites,
    id: [u8; 8],
    grants: Vec<Grant>,
    confirmed: bool,
}

impl Redemption {
    /// What the new client may do.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// Spends the use, once the client's key is on disk.
    pub fn confirm(mut self) {
        self.confirmed = true;
    }
}

impl Drop for Redemption {
    fn drop(&mut self) {
        self.invites.settle(&self.id, self.confirmed);
    }
}

impl fmt::Debug for Redemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redemption").field("grants", &self.grants).finish_non_exhaustive()
    }
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn bad(why: &str) -> Error {
    Error::new(Code::BAD_INVITE, format!("the invite {why}"))
        .with_hint("ask the server's owner for a new ticket")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;
    const HOUR: Duration = Duration::from_secs(3600);

    fn grants() -> Vec<Grant> {
        Grant::parse_list("read /scans/**").unwrap()
    }

    fn book(uses: u32) -> (Invites, Invite) {
        let invites = Invites::new();
        let uses = NonZeroU32::new(uses).unwrap();
        let invite = invites.create(grants(), uses, HOUR, NOW).unwrap();
        (invites, invite)
    }

    fn redeem(invites: &Invites, invite: &Invite) -> Result<Redemption> {
        invites.redeem(&invite.id, &invite.secret, NOW)
    }

    #[test]
    fn each_use_is_spent_once() {
        let (invites, invite) = book(2);
        for _ in 0..2 {
            let redemption = redeem(&invites, &invite).unwrap();
            assert_eq!(redemption.grants(), grants());
            redemption.confirm();
        }
        let error = redeem(&invites, &invite).expect_err("used up");
        assert_eq!(error.code(), Code::BAD_INVITE);
        assert_eq!(format!("{invites:?}"), "Invites { open: 0 }");
    }

    #[test]
    fn an_unconfirmed_use_is_given_back() {
        let (invites, invite) = book(1);
        let first = redeem(&invites, &invite).unwrap();
        redeem(&invites, &invite).expect_err("reserved");
        drop(first);
        redeem(&invites, &invite).unwrap().confirm();
        redeem(&invites, &invite).expect_err("used up");
    }

    #[test]
    fn threads_never_share_a_use() {
        let (invites, invite) = book(3);
        let won = std::thread::scope(|scope| {
            let try_it = || redeem(&invites, &invite).map(Redemption::confirm).is_ok();
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(try_it)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|won| *won).count()
        });
        assert_eq!(won, 3);
    }

    #[test]
    fn an_invite_holds_to_its_last_second() {
        let (invites, invite) = book(1);
        assert_eq!(invite.expires_unix_s(), 3600);
        let at = |time| invites.redeem(&invite.id, &invite.secret, time);
        drop(at(NOW + HOUR).unwrap());
        let error = at(NOW + HOUR + Duration::from_secs(1)).expect_err("late");
        assert!(error.message().contains("expired"), "{error}");
    }

    #[test]
    fn a_wrong_secret_learns_nothing() {
        let (invites, invite) = book(1);
        let mut secret = invite.secret;
        secret[15] ^= 1;
        let late = NOW + HOUR * 2;
        let wrong = invites.redeem(&invite.id, &secret, late).expect_err("wrong secret");
        let unknown = invites.redeem(&[0; 8], &secret, NOW).expect_err("unknown id");
        assert_eq!(wrong.to_string(), unknown.to_string());
    }

    #[test]
    fn the_book_is_bounded_and_forgets_what_expired() {
        let (invites, _) = book(1);
        let open = |now| invites.create(grants(), NonZeroU32::MIN, HOUR, now);
        for _ in 1..Invites::MAX_OPEN {
            open(NOW).unwrap();
        }
        assert_eq!(open(NOW).expect_err("full").code(), Code::OVERLOADED);
        open(NOW + HOUR * 2).unwrap();
        assert_eq!(format!("{invites:?}"), "Invites { open: 1 }");
    }
}
