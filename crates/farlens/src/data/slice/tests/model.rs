//! Slices of slices of memory, beside one plain vector.

use super::*;

/// A small generator (splitmix64): the same seed tells the same story.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn index(&mut self, bound: usize) -> usize {
        self.below(bound as u64) as usize
    }
}

/// What all the slices come to: a part of a vector.
struct Model {
    content: Vec<u8>,
    from: usize,
    to: Option<usize>,
    /// A slice begins behind the end of the one that it is made of.
    beyond: bool,
}

impl Model {
    fn narrow(&mut self, start: u64, end: Option<u64>) {
        let end = end.map(|end| self.from + end as usize);
        self.from += start as usize;
        self.beyond |= self.to.is_some_and(|to| to < self.from);
        let to = [self.to, end].into_iter().flatten().min();
        self.to = to.map(|to| to.max(self.from));
    }

    fn seen(&self) -> Range<usize> {
        let end = self.to.map_or(self.content.len(), |to| to.min(self.content.len()));
        self.from.min(end)..end
    }

    fn len(&self) -> usize {
        self.seen().len()
    }

    fn has_begun(&self) -> bool {
        self.from <= self.content.len() && !self.beyond
    }

    /// How many of these bytes are stored, or why not; there may be more than one reason.
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<usize, Option<Code>> {
        if !self.has_begun() {
            return Err(None);
        }
        let fits = match self.to {
            Some(_) => self.len().saturating_sub(at).min(bytes.len()),
            None => bytes.len(),
        };
        if fits == 0 {
            return Err(Some(Code::END_OF_SPACE));
        }
        let first = self.from + at;
        let length = self.content.len().max(first + fits);
        self.content.resize(length, 0);
        self.content[first..first + fits].copy_from_slice(&bytes[..fits]);
        Ok(fits)
    }

    /// Where the end is after it was moved, or why not.
    fn cut(&mut self, at: usize) -> Result<usize, Option<Code>> {
        if at == self.len() {
            return Ok(at);
        }
        if !self.has_begun() {
            return Err(None);
        }
        if self.to.is_some() {
            return Err(Some(Code::MODE_FORBIDS));
        }
        self.content.resize(self.from + at, 0);
        Ok(at)
    }
}

/// A window to slice by, noted in the model.
fn window(model: &mut Model, dice: &mut Dice) -> Window {
    let start = dice.below(12);
    let end = Some(start + dice.below(40)).filter(|_| dice.below(2) == 0);
    model.narrow(start, end);
    let window = end.map_or(Window::new(&(start..)), |end| Window::new(&(start..end)));
    window.expect("not reversed")
}

/// One to three slices of one another, and what they come to.
fn nest(data: &MemData, dice: &mut Dice) -> (Slice, Model) {
    let mut model = Model { content: data.to_vec(), from: 0, to: None, beyond: false };
    let mut slices = Slice::new(Arc::new(data.clone()), window(&mut model, dice));
    for _ in 0..dice.below(3) {
        slices = Slice::new(Arc::new(slices), window(&mut model, dice));
    }
    (slices, model)
}

fn compare<T: PartialEq + std::fmt::Debug>(got: Result<T>, expected: Result<T, Option<Code>>) {
    match (got, expected) {
        (Err(_), Err(None)) => {}
        (got, expected) => assert_eq!(got.map_err(|error| Some(error.code())), expected),
    }
}

/// Writes through the slices.
async fn write(slices: &Slice, model: &mut Model, dice: &mut Dice) {
    let salt = dice.below(1 << 20);
    let bytes = bytes(salt..salt + 1 + dice.below(9));
    let chunk = Chunk::Bytes(bytes.clone().into());
    let (place, stored) = if dice.below(2) == 0 {
        let place = dice.index(model.len() + 4);
        let now = slices.write_now(Pos::Abs(at(place as u64)), &chunk, &Rules::all());
        (place, now.expect("memory answers at once"))
    } else {
        (model.len(), slices.write_at(Pos::END, chunk, &Rules::all()).await)
    };
    let stored = stored.map(|stored| (stored.at.get() as usize, stored.elements as usize));
    let expected = model.write(place, &bytes).map(|fits| (place, fits));
    compare(stored, expected);
}

/// Moves the end through the slices.
async fn cut(slices: &Slice, model: &mut Model, dice: &mut Dice) {
    let place = dice.index(model.len() + 4);
    let to = at(place as u64);
    let moved = slices.truncate(Edge::After, Pos::Abs(to), &Rules::all()).await;
    compare(moved.map(|end| end.get() as usize), model.cut(place));
}

/// Moves the end of the data, as somebody else does who has all of it.
async fn move_beneath(data: &MemData, model: &mut Model, dice: &mut Dice) {
    let end = dice.index(80);
    let moved = data.truncate(Edge::After, Pos::Abs(at(end as u64)), &Rules::all()).await;
    moved.expect("nobody forbids it");
    model.content.resize(end, 0);
}

async fn agree(slices: &Slice, data: &MemData, model: &Model, dice: &mut Dice) {
    assert_eq!(data.to_vec(), model.content, "all of the data");
    let state = slices.state().await.expect("memory has a state");
    assert_eq!(state.bounds, Bounds::up_to(at(model.len() as u64)));
    assert_eq!(slices.state_now().map(Result::ok), Some(Some(state)));
    let (from, bytes) = (dice.index(model.len() + 3), 1 + dice.index(30));
    let (place, budget) = (at(from as u64), ReadBudget { bytes, ..ALL });
    let seen = model.content[model.seen()].get(from..).unwrap_or_default();
    let expected = &seen[..seen.len().min(bytes)];
    let now = slices.read_now(place, budget).expect("memory answers at once");
    for read in [now, slices.read_at(place, budget).await] {
        match read.expect("memory does not fail") {
            Fetched::Some(Chunk::Bytes(bytes)) => assert_eq!(bytes, expected),
            Fetched::Some(_) => panic!("these are bytes"),
            Fetched::Nothing => assert_eq!(expected, b""),
        }
    }
}

#[tokio::test]
async fn slices_of_slices_are_one_part_of_the_data_whatever_happens_to_it() {
    for seed in 0..400 {
        // The last one that is printed is the one that failed.
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let data = MemData::new(bytes(0..dice.below(60)));
        let (slices, mut model) = nest(&data, &mut dice);
        for _ in 0..30 {
            match dice.below(5) {
                0..3 => write(&slices, &mut model, &mut dice).await,
                3 => cut(&slices, &mut model, &mut dice).await,
                _ => move_beneath(&data, &mut model, &mut dice).await,
            }
            agree(&slices, &data, &model, &mut dice).await;
        }
    }
}
