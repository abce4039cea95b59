//! Connections that break, flip bits or fall silent at many places of one session.

use crate::{House, LENGTH, SEED, drain, guarded, impatient};
use farlens::{Client, Code, FixedData, Limits, Link, Result, Server};
use farlens_tests::{
    fault_io::{End, FaultIo, Faults},
    pattern,
    rng::Rng,
};
use futures::{StreamExt, future::join_all};
use std::net::SocketAddr;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const ENTITIES: u64 = 5_000;

fn entity(n: u64) -> (u64, String) {
    (n, format!("entity {n}"))
}

async fn house(limits: Limits) -> House {
    let entities = FixedData::items((0..ENTITIES).map(entity)).unwrap();
    House::open(Server::builder().limits(limits).publish("/entities", entities)).await
}

/// A way to a server for one connection, with faults for what goes up to it and comes down from it.
/// Gives the address, and in the end how many bytes went each way.
async fn way(to: SocketAddr, up: Faults, down: Faults) -> (SocketAddr, JoinHandle<(u64, u64)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let reset = [&up, &down].into_iter().any(|f| matches!(f.end, Some((_, End::Error))));
    let task = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(to).await.unwrap();
        for socket in [&client, &server] {
            socket.set_nodelay(true).unwrap();
            if reset {
                socket2::SockRef::from(socket).set_linger(Some(std::time::Duration::ZERO)).unwrap();
            }
        }
        let mut server = FaultIo::new(server, down, up);
        let _ = copy_bidirectional(&mut client, &mut server).await;
        let (down, up) = server.moved();
        (up, down)
    });
    (address, task)
}

fn ends_at(at: u64, end: End) -> Faults {
    Faults { end: Some((at, end)), ..Faults::default() }
}

/// Everything that a client does; what succeeds is right and what fails says that the link did.
async fn session(link: &Link, allowed: impl Fn(Code) -> bool) -> bool {
    let mut whole = true;
    let mut check = |code: Code| {
        assert!(allowed(code), "{code}");
        whole = false;
    };
    match guarded(link.list("/")).await {
        Ok(entries) => assert_eq!(entries.len(), 2),
        Err(error) => check(error.code()),
    }
    match guarded(link.stat("/data")).await {
        Ok(stat) => assert_eq!(stat.bounds.len(), Some(LENGTH as u64)),
        Err(error) => check(error.code()),
    }
    match guarded(link.open("/data")).await {
        Ok(mut stream) => {
            let (got, outcome) = drain(&mut stream).await;
            assert_eq!(pattern::first_wrong_byte(SEED, 0, &got), None);
            match outcome {
                Ok(()) => assert_eq!(got.len(), LENGTH, "a cut is no end"),
                Err(error) => check(error.code()),
            }
            match guarded(stream.seek_to(farlens::Position::new(123_456).unwrap())).await {
                Ok(at) => {
                    assert_eq!(at.get(), 123_456);
                    let (got, outcome) = drain(&mut stream).await;
                    assert_eq!(pattern::first_wrong_byte(SEED, 123_456, &got), None);
                    match outcome {
                        Ok(()) => assert_eq!(got.len(), LENGTH - 123_456, "a cut is no end"),
                        Err(error) => check(error.code()),
                    }
                }
                Err(error) => check(error.code()),
            }
        }
        Err(error) => check(error.code()),
    }
    match guarded(link.entities::<(u64, String)>("/entities")).await {
        Ok(mut entities) => {
            let mut next = 0;
            loop {
                match guarded(entities.next()).await {
                    Some(Ok(found)) => assert_eq!(found, entity(next)),
                    Some(Err(error)) => break check(error.code()),
                    None => break assert_eq!(next, ENTITIES, "a cut is no end"),
                }
                next += 1;
            }
            assert!(guarded(entities.next()).await.is_none(), "it ends once");
        }
        Err(error) => check(error.code()),
    }
    whole
}

fn lost(code: Code) -> bool {
    code.family() == 6
}

/// One session through such a way. Says whether all of it succeeded.
async fn through(
    house: &House,
    up: Faults,
    down: Faults,
    allowed: impl Fn(Code) -> bool,
) -> (bool, JoinHandle<(u64, u64)>) {
    let (address, task) = way(house.address(), up, down).await;
    match house.link_by(address).await {
        Ok(link) => (session(&link, allowed).await, task),
        Err(error) => {
            assert!(allowed(error.code()), "{error}");
            (false, task)
        }
    }
}

/// The bytes that a whole session sends up and down.
async fn extent(house: &House) -> (u64, u64) {
    let none = Faults::default;
    let (whole, task) = through(house, none(), none(), lost).await;
    assert!(whole);
    guarded(task).await.unwrap()
}

#[tokio::test]
async fn f3_n7_a_cut_at_any_byte_ends_everything_once() {
    let house = house(Limits::default()).await;
    let beside = house.link().await;
    let (up, down) = extent(&house).await;
    let mut rng = Rng::new(3);
    let mut cut = 0;
    for n in 0..240 {
        let end = if n % 2 == 0 { End::Error } else { End::Eof };
        let (up, down) = if n % 3 == 0 {
            (ends_at(rng.below(up), end), Faults::default())
        } else {
            (Faults::default(), ends_at(rng.below(down), end))
        };
        let (whole, _) = through(&house, up, down, lost).await;
        cut += usize::from(!whole);
        if n % 40 == 0 {
            assert!(session(&beside, lost).await, "the other link does not notice");
        }
    }
    assert!(cut > 200, "{cut}");
    drop(beside);
    house.is_well().await;
}

#[tokio::test]
async fn tiny_steps_change_nothing() {
    let house = house(Limits::default()).await;
    for seed in 0..4 {
        let faults = Faults { most: Some(700), hesitate: Some(3), seed, ..Faults::default() };
        let (whole, _) = through(&house, faults.clone(), faults, lost).await;
        assert!(whole);
    }
    house.is_well().await;
}

#[tokio::test]
async fn a_flipped_bit_is_never_delivered() {
    let house = house(impatient()).await;
    let (up, down) = extent(&house).await;
    let flips = (0..60).map(|seed| {
        let house = &house;
        async move {
            let mut rng = Rng::new(seed);
            let bit = rng.below(8) as u8;
            let flip = |extent| Faults { flip: Some((extent, bit)), ..Faults::default() };
            let (up, down) = if seed % 4 == 0 {
                (flip(rng.below(up)), Faults::default())
            } else {
                (Faults::default(), flip(rng.below(down)))
            };
            let broken = |code: Code| matches!(code.family(), 4 | 6 | 9);
            let (address, _task) = way(house.address(), up, down).await;
            match impatient_link(house, address).await {
                Ok(link) => drop(session(&link, broken).await),
                Err(error) => assert!(broken(error.code()), "{error}"),
            }
        }
    });
    join_all(flips).await;
    house.is_well().await;
}

async fn impatient_link(house: &House, address: SocketAddr) -> Result<Link> {
    let url = format!("farlens://{address}/#{}", house.server.key());
    let client = Client::builder().identity(house.key.identity()).limits(impatient());
    guarded(client.timeout(2 * crate::SECOND).connect(&url)).await
}

#[tokio::test]
async fn f17_a_connection_that_falls_silent_is_noticed() {
    let house = house(impatient()).await;
    let (up, down) = extent(&house).await;
    let stalls = (0..24).map(|seed| {
        let house = &house;
        async move {
            let mut rng = Rng::new(seed);
            let (up, down) = if seed % 3 == 0 {
                (ends_at(rng.below(up / 2), End::Stall), Faults::default())
            } else {
                (Faults::default(), ends_at(rng.below(down / 2), End::Stall))
            };
            let (address, _task) = way(house.address(), up, down).await;
            match impatient_link(house, address).await {
                Ok(link) => assert!(!session(&link, lost).await),
                Err(error) => assert!(lost(error.code()), "{error}"),
            }
        }
    });
    join_all(stalls).await;
    house.is_well().await;
}
