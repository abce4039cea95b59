//! Objects whose destructors use the link that lets go of them.

use crate::{House, guarded};
use farlens::{Link, Server, Verb};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

#[farlens::remote]
pub trait Guest {
    async fn greet(&self) -> farlens::Result<()>;
}

#[farlens::remote]
pub trait Inn {
    async fn stay(&self, guest: GuestRef) -> farlens::Result<()>;
    async fn leave(&self) -> farlens::Result<()>;
}

/// Looks at the link as it goes, which takes the link's lock.
struct Parting {
    link: Link,
    gone: Arc<Notify>,
}

impl Guest for Parting {
    async fn greet(&self) -> farlens::Result<()> {
        Ok(())
    }
}

impl Drop for Parting {
    fn drop(&mut self) {
        let _ = self.link.stats();
        self.gone.notify_one();
        panic!("a destructor of a test");
    }
}

#[derive(Default)]
struct OneRoom(Mutex<Option<GuestRef>>);

impl Inn for OneRoom {
    async fn stay(&self, guest: GuestRef) -> farlens::Result<()> {
        guest.greet().await?;
        *self.0.lock().unwrap() = Some(guest);
        Ok(())
    }

    async fn leave(&self) -> farlens::Result<()> {
        self.0.lock().unwrap().take();
        Ok(())
    }
}

#[tokio::test]
async fn a_destructor_may_use_its_link_and_panic() {
    let inn = InnRef::new(OneRoom::default());
    let house = House::open(Server::builder().publish("/inn", inn)).await;
    let link = house.link_to(&[Verb::Read, Verb::Call]).await;
    let inn: InnRef = guarded(link.object("/inn")).await.unwrap();
    let gone = Arc::new(Notify::new());
    let guest = Parting { link: link.clone(), gone: Arc::clone(&gone) };
    guarded(inn.stay(GuestRef::new(guest))).await.unwrap();
    guarded(inn.leave()).await.unwrap();
    guarded(gone.notified()).await;
    guarded(inn.leave()).await.unwrap();
    drop((inn, link));
    house.is_well().await;
}
