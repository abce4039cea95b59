//! Credit as it comes and goes, of one stream and of several on a link.

use super::{
    budget::{BESIDE_CALLS_BYTES, BESIDE_CALLS_MICROS},
    *,
};
use farlens_wire::Limits;
use proptest::prelude::*;
use std::collections::VecDeque;

const WINDOW: Window = Window::new(256 << 10, 1 << 20, 65_536);

fn bytes(n: u64) -> Credit {
    Credit { bytes: n, elements: 0 }
}

const MS: u64 = 1_000;

/// A link of which it is known that a round trip takes 100 ms, at the origin of time.
fn far_away(limit: u64) -> ReceiveBudget {
    let mut budget = ReceiveBudget::new(limit, limit);
    budget.round_trip.saw(100 * MS);
    budget
}

/// All that is granted comes at once and is consumed at once, at a moment.
fn take_all(receive: &mut Receive, window: &mut Window, budget: &mut ReceiveBudget, ms: u64) {
    budget.set_now(Time::from_micros(ms * MS));
    let room = receive.granted.bytes - receive.received.bytes;
    assert!(room > 0, "credit must come back");
    receive.take_bytes(room, budget).unwrap();
    receive.consume(bytes(room), window, budget);
    receive.tell(budget.now);
}

#[test]
fn one_byte_too_many_is_a_violation() {
    let mut budget = ReceiveBudget::new(1 << 20, 1 << 20);
    let mut receive = Receive::start(WINDOW, &mut budget);
    assert!(receive.take_bytes(WINDOW.bytes, &mut budget).is_ok());
    assert!(receive.take_bytes(1, &mut budget).is_err());
}

#[test]
fn a_window_widens_only_when_it_is_used_up_within_two_round_trips() {
    for (ms, wider) in [(101, true), (199, true), (201, false), (10_000, false)] {
        let mut budget = far_away(16 << 20);
        let mut window = WINDOW;
        let mut receive = Receive::start(window, &mut budget);
        receive.tell(Time::ZERO);
        take_all(&mut receive, &mut window, &mut budget, ms);
        assert_eq!(window.bytes > WINDOW.bytes, wider, "used up after {ms} ms");
        assert!(window.bytes <= 1 << 20);
        assert_eq!(receive.outstanding(), window.bytes, "granted at once");
    }
}

#[test]
fn a_quick_consumer_gets_the_window_that_it_needs() {
    for (ms, wider) in [(4, true), (5, false)] {
        let mut budget = ReceiveBudget::new(16 << 20, 16 << 20);
        let mut window = WINDOW;
        let mut receive = Receive::start(window, &mut budget);
        receive.tell(Time::ZERO);
        budget.set_now(Time::from_micros(ms * MS));
        receive.take_bytes(WINDOW.bytes, &mut budget).unwrap();
        let wanted = 2 * WINDOW.bytes;
        receive.widen_if_quick(bytes(WINDOW.bytes - 1), wanted, &mut window, &budget);
        assert_eq!(window.bytes, WINDOW.bytes, "not all is consumed");
        receive.widen_if_quick(bytes(WINDOW.bytes), wanted, &mut window, &budget);
        assert_eq!(window.bytes == wanted, wider, "used up after {ms} ms");
    }
}

#[test]
fn credit_that_was_granted_before_a_call_stays_and_is_not_renewed() {
    let mut budget = ReceiveBudget::new(64 << 20, 64 << 20);
    budget.round_trip.saw(20);
    let mut wide = Window::new(4 << 20, 4 << 20, 1);
    let mut receive = Receive::start(wide, &mut budget);
    budget.saw_call();
    receive.take_bytes(4 << 20, &mut budget).unwrap();
    receive.consume(bytes(3 << 20), &mut wide, &mut budget);
    assert_eq!(receive.outstanding(), 1 << 20);
    receive.consume(bytes(1 << 20), &mut wide, &mut budget);
    assert_eq!(receive.outstanding(), BESIDE_CALLS_BYTES);
    budget.set_now(Time::from_micros(BESIDE_CALLS_MICROS));
    receive.take_bytes(BESIDE_CALLS_BYTES, &mut budget).unwrap();
    receive.consume(bytes(BESIDE_CALLS_BYTES), &mut wide, &mut budget);
    assert_eq!(receive.outstanding(), 4 << 20, "nobody has called for long");
}

#[test]
fn a_reader_who_takes_its_time_has_the_window_of_its_own_rate() {
    let mut budget = far_away(16 << 20);
    let mut window = WINDOW;
    let mut receive = Receive::start(window, &mut budget);
    receive.tell(Time::ZERO);
    // 4 KiB each millisecond; what is granted comes a round trip later.
    let mut on_the_way = VecDeque::from([0; 100]);
    for ms in 1..2_000 {
        budget.set_now(Time::from_micros(ms * MS));
        on_the_way.push_back(receive.granted.bytes);
        let come = on_the_way.pop_front().unwrap_or_default() - receive.received.bytes;
        receive.take_bytes(come, &mut budget).unwrap();
        let there = receive.received.bytes - receive.consumed.bytes;
        if receive.consume(bytes(there.min(4 << 10)), &mut window, &mut budget) {
            receive.tell(budget.now);
        }
    }
    let two_round_trips = 200 * (4 << 10);
    let all = two_round_trips..two_round_trips * 5 / 4;
    assert!(all.contains(&window.bytes), "{} bytes", window.bytes);
}

#[test]
fn a_sender_that_has_enough_is_told_less_often() {
    // The reader takes 256 KiB in that many milliseconds, in 64 pieces, a round trip later.
    for (ms, told) in [(64, 12), (640, 8)] {
        let mut budget = far_away(16 << 20);
        let mut window = Window::new(WINDOW.bytes, WINDOW.bytes, 65_536);
        let mut receive = Receive::start(window, &mut budget);
        receive.tell(Time::ZERO);
        let mut take = |turn: u64| {
            budget.set_now(Time::from_micros((100 + turn * ms / 64) * MS));
            receive.take_bytes(4 << 10, &mut budget).unwrap();
            let worth = receive.consume(bytes(4 << 10), &mut window, &mut budget);
            if worth {
                receive.tell(budget.now);
            }
            worth
        };
        assert!((0..64).filter(|&turn| take(turn)).count() > 0);
        let grants = (64..256).filter(|&turn| take(turn)).count();
        assert_eq!(grants, told, "for 768 KiB, with {ms} ms for a window");
    }
}

#[test]
fn who_comes_later_finds_room_beside_the_widest_window() {
    let limit = 16 << 20;
    let (mut budget, wide) = (far_away(limit), Window::new(256 << 10, 16 << 20, 1));
    let mut window = [wide; 4];
    let mut streams: Vec<Receive> = Vec::new();
    for index in 0..4u64 {
        let mut receive = Receive::start(wide, &mut budget);
        receive.tell(budget.now);
        assert_eq!(receive.outstanding(), wide.bytes, "stream {index}");
        streams.push(receive);
        for turn in 1..100 {
            let ms = (100 * index + turn) * 101;
            for (receive, window) in streams.iter_mut().zip(&mut window) {
                take_all(receive, window, &mut budget, ms);
            }
        }
        let shares: Vec<_> = streams.iter().map(|receive| receive.outstanding() >> 10).collect();
        let fair = (limit >> 10) * 7 / (8 + 7 * index);
        let equal = shares.iter().all(|share| share.abs_diff(fair) <= fair / 8);
        assert!(equal, "{shares:?} and not {fair} each");
    }
}

#[test]
fn entities_are_granted_in_proportion() {
    let mut budget = far_away(64 << 20);
    let mut window = Window::new(256 << 10, 1 << 20, 100);
    let mut receive = Receive::start(window, &mut budget);
    assert_eq!(receive.granted().elements, 100);
    take_all(&mut receive, &mut window, &mut budget, 101);
    assert_eq!(receive.granted().elements, 400);
}

#[test]
fn a_narrow_window_is_back_to_full_width_after_three_grants() {
    let mut budget = ReceiveBudget::new(16 << 20, 16 << 20);
    let full = Window::new(WINDOW.bytes, WINDOW.bytes, 65_536);
    let mut window = full.expecting(8 << 10);
    let mut receive = Receive::start(window, &mut budget);
    for _ in 0..3 {
        assert!(window.is_narrow());
        // However small the pieces are in which it comes and goes.
        for _ in 0..(receive.granted.bytes - receive.received.bytes) / 1_024 {
            receive.take_bytes(1_024, &mut budget).unwrap();
            receive.consume(bytes(1_024), &mut window, &mut budget);
        }
    }
    assert_eq!(window, full);
    assert_eq!(full.expecting(u64::MAX), full, "never wider than that");
}

#[test]
fn a_stream_beyond_the_budget_still_moves() {
    let mut budget = ReceiveBudget::new(0, 0);
    let mut window = WINDOW;
    let mut receive = Receive::start(window, &mut budget);
    for _ in 0..100 {
        take_all(&mut receive, &mut window, &mut budget, 0);
    }
}

/// A link whose hello was answered after so many milliseconds.
fn greeted(ms: u64) -> ReceiveBudget {
    let mut budget = ReceiveBudget::new(16 << 20, 64 << 20);
    budget.greeted(ms * MS);
    budget
}

const AUTO: Window = Window::new(256 << 10, 64 << 20, 65_536);

#[test]
fn the_only_stream_of_a_long_line_may_be_sent_what_fits_on_it() {
    for (ms, first) in [(0, 256 << 10), (2, 256 << 10), (20, 2_500_000), (100, 12_500_000)] {
        let mut budget = greeted(ms);
        let mut receive = Receive::start(AUTO, &mut budget);
        receive.begin(AUTO, &mut budget);
        assert_eq!(receive.granted.bytes, first, "with {ms} ms");
        assert_eq!(budget.outstanding(), first);
        assert_eq!(receive.granted.elements, 65_536 * (first / (256 << 10)), "in proportion");
    }
}

#[test]
fn streams_that_begin_together_share_what_fits() {
    let mut budget = greeted(1_000);
    let mut streams: Vec<_> = (0..8).map(|_| Receive::start(AUTO, &mut budget)).collect();
    for receive in &mut streams {
        receive.begin(AUTO, &mut budget);
        assert_eq!(receive.granted.bytes, (12 << 20) / 8);
    }
    let mut fixed = Receive::start(WINDOW, &mut budget);
    fixed.begin(Window::fixed(bytes(WINDOW.bytes)), &mut budget);
    assert_eq!(fixed.granted.bytes, WINDOW.bytes, "a window that the user set");
}

#[test]
fn what_is_granted_at_first_is_not_renewed_for_a_slow_reader() {
    let mut budget = greeted(100);
    let (mut window, mut receive) = (AUTO, Receive::start(AUTO, &mut budget));
    receive.begin(AUTO, &mut budget);
    receive.tell(Time::ZERO);
    budget.set_now(Time::from_micros(100 * MS));
    let first = receive.granted.bytes;
    receive.take_bytes(first, &mut budget).unwrap();
    // 256 KiB in each second.
    for second in 1..=first >> 18 {
        budget.set_now(Time::from_micros(second * 1_000 * MS));
        receive.consume(bytes(256 << 10), &mut window, &mut budget);
    }
    assert_eq!(window, AUTO);
    assert!(receive.outstanding() <= window.bytes);
}

#[test]
fn a_quick_reader_has_a_wide_window_before_the_first_credit_is_used_up() {
    let mut budget = greeted(100);
    let (mut window, mut receive) = (AUTO, Receive::start(AUTO, &mut budget));
    receive.begin(AUTO, &mut budget);
    receive.tell(Time::ZERO);
    let first = receive.granted.bytes;
    for turn in 0..16 {
        // 1 Gbit/s, after a round trip.
        budget.set_now(Time::from_micros(100 * MS + turn * 131));
        receive.take_bytes(16 << 10, &mut budget).unwrap();
        receive.consume(bytes(16 << 10), &mut window, &mut budget);
    }
    assert_eq!(window.bytes, 16 << 20, "what there is for one stream");
    assert!(receive.granted.bytes > first);
}

proptest! {
    /// Credit is conserved: what was granted is consumed, outstanding or given back.
    #[test]
    fn credit_is_conserved(
        steps in prop::collection::vec((0usize..4, 1u64..300_000, 0u64..20_000), 1..200)
    ) {
        let mut budget = ReceiveBudget::new(600 << 10, 900 << 10);
        budget.greeted(2_500);
        let mut now = 0;
        let mut window = [WINDOW; 4];
        let mut streams: Vec<Receive> =
            window.iter().map(|&w| Receive::start(w, &mut budget)).collect();
        for (index, amount, later) in steps {
            now += later;
            budget.set_now(Time::from_micros(now));
            let receive = &mut streams[index];
            let room = receive.granted.bytes - receive.received.bytes;
            if amount % 17 == 0 {
                receive.release(&mut budget);
                *receive = Receive::start(window[index], &mut budget);
                receive.begin(window[index], &mut budget);
                receive.tell(budget.now);
            } else if amount.min(room) > 0 {
                receive.take_bytes(amount.min(room), &mut budget).unwrap();
            } else {
                let waiting = receive.received.bytes - receive.consumed.bytes;
                receive.consume(bytes(amount.min(waiting)), &mut window[index], &mut budget);
            }
            let sum: u64 = streams.iter().map(Receive::outstanding).sum();
            prop_assert_eq!(sum, budget.outstanding());
            prop_assert!(sum <= (900 << 10) + 4 * Limits::MIN_WINDOW_BYTES);
        }
        for receive in &mut streams {
            receive.release(&mut budget);
        }
        prop_assert_eq!(budget.outstanding(), 0);
    }
}
