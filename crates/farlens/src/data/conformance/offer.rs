//! The offer and the kind: what can be known of data before anything is read.

use super::{
    FEW, Report, Subject,
    bench::Bench,
    report::{Verdict, demand},
};
use crate::data::StreamerData;
use farlens_wire::{Flags, Mode, ModeOffer};

pub(super) async fn run<S: Subject>(bench: &Bench<'_, S>, report: &mut Report) {
    let rule = "Some set of flags with all required and only possible ones is a valid mode.";
    bench.check(report, "offer_makes_a_mode", rule, async { makes_a_mode(bench.offer) }).await;
    let rule = "Every possible flag is part of some mode over the data.";
    let useful = async { flags_are_useful(bench.offer) };
    bench.check(report, "offer_promises_nothing_idle", rule, useful).await;
    let rule = "Kind and offer are the same at all times.";
    bench.check(report, "offer_is_constant", rule, constant(bench)).await;
}

/// The valid modes over an offer, in the order of their bits.
fn modes(offer: ModeOffer) -> impl Iterator<Item = Flags> {
    let all = (0..=u16::MAX).map(Flags::from_bits);
    all.filter(move |flags| {
        let fits = flags.has(offer.required)
            && flags.without(offer.required | offer.possible) == Flags::NONE;
        fits && Mode::new(*flags).is_ok()
    })
}

fn makes_a_mode(offer: ModeOffer) -> Verdict {
    let ModeOffer { required, possible } = offer;
    demand(modes(offer).next().is_some(), || {
        format!("no valid mode has {required} and beyond that only {possible}")
    })
}

fn flags_are_useful(offer: ModeOffer) -> Verdict {
    let used = modes(offer).fold(Flags::NONE, |used, flags| used | flags);
    let idle = offer.possible.without(used);
    demand(idle == Flags::NONE, || format!("no valid mode over the data has {idle}"))
}

async fn constant<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    let mut trial = bench.make(FEW).await?;
    for _ in 0..2 {
        let (kind, offer) = (trial.data.kind(), trial.data.offers());
        demand(kind == bench.kind, || format!("it was {:?} and is {kind:?}", bench.kind))?;
        demand(offer == bench.offer, || format!("it was {:?} and is {offer:?}", bench.offer))?;
        trial.change(super::trial::Move::Grow, 1).await?;
    }
    Ok(())
}
