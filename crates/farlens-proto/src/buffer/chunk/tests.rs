use super::*;
use proptest::prelude::*;

fn batch(bodies: &[&[u8]]) -> ItemBatch {
    let mut builder = BatchBuilder::default();
    for body in bodies {
        builder.push(body);
    }
    builder.finish()
}

#[test]
fn f7_splitting_and_joining_loses_nothing() {
    let bodies: [&[u8]; 4] = [b"", b"a", b"bc", b"def"];
    for n in 0..=5 {
        let mut rest = batch(&bodies);
        let first = rest.split_to(n);
        let all: Vec<_> = first.iter().chain(rest.iter()).collect();
        assert_eq!(all, bodies, "split at {n}");
        assert_eq!(first.count() + rest.count(), 4);
    }
}

#[test]
fn a_batch_splits_where_it_fits() {
    let mut rest = batch(&[b"aa", b"bb", b"cc"]);
    assert_eq!(rest.split_fitting(7).count(), 2);
    assert_eq!(rest.split_fitting(2).count(), 0);
    assert_eq!(rest.split_fitting(3).count(), 1);
}

#[test]
fn lying_lengths_are_refused() {
    for bytes in [&[1u8][..], &[0x80], &[0x80, 0], &[0xff, 0xff, 0xff, 0xff, 0x0f, 1]] {
        assert_eq!(ItemBatch::parse(Bytes::copy_from_slice(bytes)), Err(BadBatch));
    }
}

#[test]
fn tables_of_no_element_are_refused() {
    let table = |count: u32| -> Table { (0..count).map(Reference::new).collect() };
    for tables in [
        vec![(2, table(1))],
        vec![(1, table(1)), (0, table(1))],
        vec![(0, table(1)), (0, table(1))],
        vec![(0, table(129))],
    ] {
        assert_eq!(batch(&[b"a", b"b"]).with_tables(tables), Err(BadBatch));
    }
    let full = batch(&[b"a", b"b"]).with_tables([(0, table(0)), (1, table(128))]);
    let full = full.expect("the tables fit");
    assert_eq!((full.table(0).len(), full.table(1).len()), (0, 128));
    assert_eq!(full.cost(), 4 + 128 * 32);
}

/// An element as a plain value.
type Plain = (Vec<u8>, Vec<Reference>);

/// Elements of which some have tables, as a function of their number.
fn plain(from: usize, count: usize, every: usize) -> Vec<Plain> {
    let element = |n: usize| {
        let references = if n.is_multiple_of(every) { n % 4 } else { 0 };
        (vec![n as u8; n * 7 % 40], (0..references).map(Reference::new).collect())
    };
    (from..from + count).map(element).collect()
}

fn built(elements: &[Plain]) -> ItemBatch {
    let mut builder = BatchBuilder::default();
    for (body, references) in elements {
        let pushed = builder.push_with(|out, table| {
            out.extend_from_slice(body);
            table.extend(references.iter().cloned());
            Ok::<(), ()>(())
        });
        pushed.expect("nothing fails");
    }
    builder.finish()
}

fn cost(elements: &[Plain]) -> usize {
    let one =
        |(body, table): &Plain| varint::len(body.len() as u64) + body.len() + 32 * table.len();
    elements.iter().map(one).sum()
}

fn check(batch: &ItemBatch, elements: &[Plain]) {
    assert_eq!(batch.count(), elements.len() as u64);
    assert_eq!(batch.cost(), cost(elements));
    assert_eq!(
        batch.last_cost(),
        elements.last().map_or(0, |last| cost(std::slice::from_ref(last)))
    );
    assert_eq!(batch.has_references(), elements.iter().any(|(_, table)| !table.is_empty()));
    let bodies: Vec<_> = batch.iter().collect();
    for (index, (body, table)) in elements.iter().enumerate() {
        assert_eq!(bodies[index], body);
        assert_eq!(batch.table(index as u64), table);
    }
    let tables = batch.tables(0..u64::MAX).map(|(index, table)| (index as usize, &**table));
    let referring = elements.iter().map(|(_, table)| &table[..]).enumerate();
    assert!(tables.eq(referring.filter(|(_, table)| !table.is_empty())));
}

proptest! {
    #[test]
    fn f7_tables_stay_with_their_elements(
        count in 0usize..60,
        every in 1usize..8,
        steps in prop::collection::vec((0usize..6, 0usize..40), 1..30),
    ) {
        let mut model = plain(0, count, every);
        let mut batch = built(&model);
        let mut next = count;
        for (step, n) in steps {
            match step {
                0 => {
                    let taken: Vec<_> = model.drain(..n.min(model.len())).collect();
                    check(&batch.split_to(n as u64), &taken);
                }
                1 => {
                    let taken = model.split_off(n.min(model.len()));
                    check(&batch.split_off(n as u64), &taken);
                }
                2 => {
                    let fits = (0..=model.len()).rev().find(|&k| cost(&model[..k]) <= n * 9);
                    let taken: Vec<_> = model.drain(..fits.unwrap_or(0)).collect();
                    check(&batch.split_fitting(n * 9), &taken);
                }
                3 => {
                    let popped = batch.pop().map(|(body, table)| {
                        (body.to_vec(), table.map_or_else(Vec::new, |table| table.to_vec()))
                    });
                    let taken = (!model.is_empty()).then(|| model.remove(0));
                    prop_assert_eq!(popped, taken);
                }
                4 => {
                    let behind = plain(next, n, every);
                    next += n;
                    let mut builder = BatchBuilder::default();
                    for (body, table) in &behind {
                        builder.push_referring(body, table.clone());
                    }
                    builder.restore(batch);
                    prop_assert_eq!(builder.cost(), cost(&model) + cost(&behind));
                    model.extend(behind);
                    batch = builder.finish();
                }
                _ => {
                    let tables: Vec<_> = batch
                        .tables(0..u64::MAX)
                        .map(|(index, table)| (index, table.clone()))
                        .collect();
                    let parsed = ItemBatch::parse(batch.encoded().clone()).expect("it is whole");
                    let parsed = parsed.with_tables(tables).expect("they are its own");
                    prop_assert_eq!(&parsed, &batch);
                    batch = parsed;
                }
            }
            check(&batch, &model);
        }
    }

    #[test]
    fn f7_a_buffer_keeps_tables_with_their_elements(
        pushes in prop::collection::vec(1usize..900, 1..10),
        every in 1usize..50,
        pops in prop::collection::vec((0usize..3, 1u64..700), 1..30),
    ) {
        let mut buffer = crate::buffer::StreamBuffer::default();
        let mut model = Vec::new();
        for count in pushes {
            let elements = plain(model.len(), count, every);
            buffer.push(Chunk::Items(built(&elements)));
            model.extend(elements);
        }
        for (how, n) in pops.into_iter().chain(std::iter::repeat((0, 700))) {
            prop_assert_eq!((buffer.elements(), buffer.cost()), (model.len() as u64, cost(&model)));
            let popped = match how {
                0 => buffer.pop(n),
                1 => buffer.pop_joined(n as usize * 100),
                _ => buffer.pop_fitting(n as usize * 20).map(Chunk::Items),
            };
            let Some(Chunk::Items(batch)) = popped else {
                if model.is_empty() { break }
                continue;
            };
            let taken: Vec<_> = model.drain(..batch.count() as usize).collect();
            check(&batch, &taken);
        }
    }
}
