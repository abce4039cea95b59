//! How streams and links end (group I of the behaviours).

use farlens_proto::Event;
use farlens_tests::{
    pair::Pair,
    script::{self, Script},
    source::Source,
};
use farlens_wire::{
    Code,
    frame::{Fault, stream::Close},
};

fn is_gone(event: &Event) -> bool {
    matches!(event, Event::StreamGone { .. })
}

#[test]
fn i1_a_closed_stream_is_gone_exactly_once() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 100)]);
    let stream = pair.open_source(0);
    pair.client.link.close_stream(stream);
    pair.drive();
    assert_eq!(pair.server.count(is_gone), 1);
    pair.assert_at_rest();
}

#[test]
fn a_repeated_close_frame_tells_nothing_new() {
    let mut script = Script::server();
    script.send(&script::control(1, &script::open("x")));
    for _ in 0..1_000 {
        script.send(&script::control(1, &Close {}));
    }
    assert_eq!(script.events.iter().filter(|event| is_gone(event)).count(), 1);
    script.frames();
    script.link.close(Fault::new(Code::GOING_AWAY, ""));
    script.frames();
    assert_eq!(script.events.iter().filter(|event| is_gone(event)).count(), 1);
}
