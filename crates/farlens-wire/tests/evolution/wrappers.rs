//! Options, newtypes, boxes and values of any type.

use crate::check::case;

case! { values_become_optional
    old { pub struct T { a: u8, b: String } } = T { a: 1, b: "x".into() };
    new { pub struct T { a: Option<u8>, b: Option<String> } } = T { a: None, b: None };
    forth Reads T { a: Some(1), b: Some("x".into()) };
    back Differs "T.a: u8? → u8";
}

case! { options_widen
    old (Vec<Option<u8>>) = vec![Some(1), None];
    new (Vec<Option<u16>>) = vec![];
    forth Reads vec![Some(1), None];
    back Differs "value[]: u16 → u8";
}

case! { options_nest
    old (Option<u8>) = Some(1);
    new (Option<Option<u8>>) = Some(None);
    forth Reads Some(Some(1));
    back Differs "value: u8? → u8";
}

case! { values_become_twice_optional
    old (u8) = 1;
    new (Option<Option<u16>>) = None;
    forth Reads Some(Some(1));
    back Differs "value: u16?? → u8";
}

case! { newtypes_are_what_they_hold
    old { pub struct T { at: u64, id: u8 } } = T { at: 1, id: 2 };
    new {
        pub struct T { at: Time, id: Id }
        pub struct Time(u64);
        pub struct Id(Byte);
        pub struct Byte(u8);
    }
        = T { at: Time(3), id: Id(Byte(4)) };
    forth ReadsStraight T { at: Time(1), id: Id(Byte(2)) };
    back ReadsStraight T { at: 3, id: 4 };
}

case! { newtypes_at_the_root
    old { pub struct T(u16); } = T(7);
    new (u16) = 8;
    forth ReadsStraight 7;
    back ReadsStraight T(8);
}

case! { newtypes_widen
    old { pub struct T { list: Vec<Id> } pub struct Id(u8); } = T { list: vec![Id(1)] };
    new { pub struct T { list: Vec<Id> } pub struct Id(Option<u32>); } = T { list: vec![] };
    forth Reads T { list: vec![Id(Some(1))] };
    back Differs "T.list[]: Id(u32?) → Id(u8)";
}

case! { transparent_structures_leave_no_trace
    old { #[serde(transparent)] pub struct T { inner: Vec<u8> } } = T { inner: vec![1] };
    new (Vec<u8>) = vec![2];
    forth ReadsStraight vec![1];
    back ReadsStraight T { inner: vec![2] };
}

case! { boxes_leave_no_trace
    old (Box<(Box<u8>, bool)>) = Box::new((Box::new(1), true));
    new ((u8, Box<bool>)) = (2, Box::new(false));
    forth ReadsStraight (1, Box::new(true));
    back ReadsStraight Box::new((Box::new(2), false));
}

case! { newtypes_around_options_of_themselves
    old { pub struct T(Option<Box<T>>); } = T(Some(Box::new(T(None))));
    new { pub struct T(Option<Box<Other>>); pub struct Other(Option<Box<T>>); }
        = T(Some(Box::new(Other(None))));
    forth ReadsStraight T(Some(Box::new(Other(None))));
    back ReadsStraight T(Some(Box::new(T(None))));
}

case! { a_value_within_options_without_end
    old (u8) = 1;
    new { pub struct T(Option<Box<T>>); } = T(None);
    forth Differs "value: the type holds nothing but itself";
    back Differs "value: T(T?) → u8";
}

case! { lists_in_lists_out_of_step
    old { pub struct T(Vec<Vec<T>>); } = T(vec![vec![T(vec![])], vec![]]);
    new { pub struct T(Vec<Inner>); pub struct Inner(Vec<Vec<Inner>>); } = T(vec![Inner(vec![])]);
    forth ReadsStraight T(vec![Inner(vec![vec![]]), Inner(vec![])]);
    back ReadsStraight T(vec![vec![]]);
}

/// An entity is no key, so these are tests of their own.
mod any {
    use crate::check::{Outcome, check, sent};
    use farlens_macros::Schema;
    use farlens_wire::schema::{Resolution, SchemaDoc};
    use farlens_wire::{Entity, Limits, Reference, typed};
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
    #[farlens(crate = "farlens_wire::schema")]
    struct Typed {
        a: (u8, Option<i128>),
        b: BTreeMap<String, Vec<f32>>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
    #[farlens(crate = "farlens_wire::schema")]
    struct Untyped {
        b: Entity,
        a: Entity,
    }

    fn typed() -> Typed {
        Typed { a: (1, Some(-1)), b: [("x".to_owned(), vec![0.5])].into() }
    }

    #[test]
    fn typed_values_become_untyped_ones() {
        let a = Entity::List(vec![1u8.into(), Entity::Int(-1)]);
        let b = Entity::map([("x", Entity::list([0.5f32]))]);
        check(&typed(), Outcome::Reads(Untyped { b, a }));
        check(
            &Untyped { b: Entity::Null, a: Entity::Null },
            Outcome::<Typed>::Differs("Typed.b: any → {text: [f32]}"),
        );
    }

    #[test]
    fn untyped_values_stay_as_they_are() {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
        #[farlens(crate = "farlens_wire::schema")]
        struct Fewer {
            a: Entity,
        }
        let value = Untyped { b: Entity::list([1u8]), a: Entity::tagged("x", 1u8) };
        check(&value, Outcome::Reads(Fewer { a: Entity::tagged("x", 1u8) }));
    }

    #[test]
    fn what_no_untyped_value_holds_is_refused() {
        check(&1u128, Outcome::<(Entity,)>::Differs("value: u128 → (any)"));
        check(&(1u128,), Outcome::<(Entity,)>::Differs("value.0: u128 → any"));
        check(&(Some(vec![1u128]),), Outcome::<(Entity,)>::Differs("value.0: [u128]? → any"));
    }

    #[test]
    fn references_keep_their_places() {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
        #[farlens(crate = "farlens_wire::schema")]
        struct Old {
            skipped: Reference,
            any: Entity,
            one: Reference,
            more: Vec<Reference>,
        }
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
        #[farlens(crate = "farlens_wire::schema")]
        struct New {
            more: Vec<Option<Reference>>,
            any: Entity,
            one: Entity,
        }
        let [a, b, c] = [1u8, 2, 3].map(Reference::new);
        let any = Entity::List(vec![Entity::Reference(c.clone())]);
        let old = Old { skipped: a.clone(), any, one: b.clone(), more: vec![c.clone(), a.clone()] };
        let (mut bytes, mut table) = (Vec::new(), Vec::new());
        typed::encode_with(&old, &mut bytes, &mut table).expect("it can be encoded");
        let resolution =
            Resolution::between(&sent(&SchemaDoc::of::<Old>()), &SchemaDoc::of::<New>())
                .expect("they fit");
        let new =
            New { more: vec![Some(c), Some(a)], any: old.any.clone(), one: Entity::Reference(b) };
        let limits = Limits::default();
        assert_eq!(resolution.decode(&bytes, &table, &limits), Ok(new));
        assert!(resolution.decode::<New>(&bytes, &table[..2], &limits).is_err());
        let number = SchemaDoc::of::<u32>();
        let found = Resolution::between(&sent(&SchemaDoc::of::<Reference>()), &number);
        assert_eq!(found.map(drop).map_err(|d| d.to_string()), Err("value: object → u32".into()));
    }
}
