//! Variants come, go, move and get content. One that the reader does not know is refused when it
//! is met.

use crate::check::case;

case! { they_change_places
    old { pub enum T { A, B(u8), C { x: u8 } } } = T::B(1);
    new { pub enum T { C { x: u8 }, B(u8), A } } = T::C { x: 2 };
    forth Reads T::B(1);
    back Reads T::C { x: 2 };
}

case! { one_is_added_at_the_end
    old { pub enum T { A, B } } = T::B;
    new { pub enum T { A, B, C } } = T::B;
    forth ReadsStraight T::B;
    back Reads T::B;
}

case! { one_is_added_and_used
    old { pub enum T { A, B } } = T::A;
    new { pub enum T { Z { deep: Vec<u8> }, A, B } } = T::Z { deep: vec![1] };
    forth Reads T::A;
    back Refuses "unknown variant `Z`, expected `A` or `B`";
}

case! { one_that_is_not_known_stands_inside
    old { pub struct T { list: Vec<Kind> } pub enum Kind { A } } = T { list: vec![Kind::A] };
    new { pub struct T { list: Vec<Kind> } pub enum Kind { A, B } }
        = T { list: vec![Kind::A, Kind::B] };
    forth ReadsStraight T { list: vec![Kind::A] };
    back Refuses "unknown variant `B`, expected `A`";
}

case! { one_is_renamed_with_an_alias
    old { pub enum T { Colour } } = T::Colour;
    new { pub enum T { #[serde(alias = "Colour")] Color } } = T::Color;
    forth ReadsStraight T::Color;
    back Differs "T: no variant is known to both";
}

case! { all_are_spelled_otherwise_in_rust_only
    old { pub enum T { read_only, read_write } } = T::read_write;
    new { #[serde(rename_all = "snake_case")] pub enum T { ReadOnly, ReadWrite } } = T::ReadOnly;
    forth ReadsStraight T::ReadWrite;
    back ReadsStraight T::read_only;
}

case! { no_variant_remains
    old { pub enum T { A } } = T::A;
    new { pub enum T { B } } = T::B;
    forth Differs "T: no variant is known to both";
    back Differs "T: no variant is known to both";
}

case! { one_gets_fields_with_defaults
    old { pub enum T { Stop, Go } } = T::Stop;
    new { pub enum T { Stop { why: Option<String> }, Go } } = T::Stop { why: Some("x".into()) };
    forth Reads T::Stop { why: None };
    back Reads T::Stop;
}

case! { one_gets_fields_that_are_needed
    old { pub enum T { Stop } } = T::Stop;
    new { pub enum T { Stop { why: u8 } } } = T::Stop { why: 1 };
    forth Differs "T.Stop.why: the reader needs it, the writer does not have it";
    back Reads T::Stop;
}

case! { one_gets_a_value
    old { pub enum T { Stop } } = T::Stop;
    new { pub enum T { Stop(u8) } } = T::Stop(1);
    forth Differs "T.Stop: no fields → one value";
    back Differs "T.Stop: one value → no fields";
}

case! { one_gets_names
    old { pub enum T { Stop(u8, u8) } } = T::Stop(1, 2);
    new { pub enum T { Stop { a: u8, b: u8 } } } = T::Stop { a: 1, b: 2 };
    forth Differs "T.Stop: 2 values → named fields";
    back Differs "T.Stop: named fields → 2 values";
}

case! { one_gets_more_values
    old { pub enum T { P(u8, u8) } } = T::P(1, 2);
    new { pub enum T { P(u8, u8, u8) } } = T::P(1, 2, 3);
    forth Differs "T.P: 2 values → 3 values";
    back Differs "T.P: 3 values → 2 values";
}

case! { values_widen
    old { pub enum T { P(u8, u8), Q(u16) } } = T::P(1, 2);
    new { pub enum T { P(u16, u32), Q(u16) } } = T::Q(300);
    forth Reads T::P(1, 2);
    back Differs "T.P.0: u16 → u8";
}

case! { fields_of_one_change
    old { pub enum T { P { a: u8, old: String } } } = T::P { a: 1, old: "x".into() };
    new { pub enum T { P { #[serde(default)] new: u8, a: u16 } } } = T::P { new: 1, a: 2 };
    forth Reads T::P { new: 0, a: 1 };
    back Differs "T.P.a: u16 → u8";
}

case! { a_closed_one_has_fewer_fields
    old { pub enum T { P { a: u8, b: u8 } } } = T::P { a: 1, b: 2 };
    new { #[serde(deny_unknown_fields)] pub enum T { P { a: u8 } } } = T::P { a: 1 };
    forth Differs "T.P.b: the reader does not know it and refuses what it does not know";
    back Differs "T.P.b: the reader needs it, the writer does not have it";
}

case! { words_are_not_text
    old { pub enum T { A } } = T::A;
    new (String) = "A".into();
    forth Differs "T: enum T → text";
    back Differs "T: text → enum T";
}

case! { enums_are_not_structures
    old { pub struct T { of: In } pub enum In { A } } = T { of: In::A };
    new { pub struct T { of: In } pub struct In { a: Option<u8> } } = T { of: In { a: None } };
    forth Differs "T.of: enum In → In";
    back Differs "T.of: In → enum In";
}

case! { they_contain_themselves
    old { pub enum T { Leaf(u8), Node { left: Box<T>, right: Box<T> } } }
        = T::Node { left: Box::new(T::Leaf(1)), right: Box::new(T::Leaf(2)) };
    new {
        pub enum T {
            Node { right: Box<T>, left: Box<T>, name: Option<String> },
            Leaf(u16),
        }
    } = T::Leaf(3);
    forth Reads T::Node { left: T::Leaf(1).into(), right: T::Leaf(2).into(), name: None };
    back Differs "T.Leaf.0: u16 → u8";
}
