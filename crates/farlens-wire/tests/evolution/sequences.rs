//! Lists, arrays, tuples, maps, text and bytes.

use crate::check::case;

case! { arrays_become_lists
    old ([u8; 3]) = [1, 2, 3];
    new (Vec<u16>) = vec![1, 2, 3];
    forth Reads vec![1, 2, 3];
    back Differs "value: [u16] → [u8; 3]";
}

case! { arrays_get_longer
    old ([u8; 3]) = [1, 2, 3];
    new ([u8; 4]) = [1, 2, 3, 4];
    forth Differs "value: [u8; 3] → [u8; 4]";
    back Differs "value: [u8; 4] → [u8; 3]";
}

case! { arrays_widen
    old ([u8; 3]) = [1, 2, 3];
    new ([i64; 3]) = [1, 2, 3];
    forth Reads [1, 2, 3];
    back Differs "value[]: i64 → u8";
}

case! { tuples_become_lists
    old ((u8, u16)) = (1, 300);
    new (Vec<u32>) = vec![];
    forth Reads vec![1, 300];
    back Differs "value: [u32] → (u8, u16)";
}

case! { tuples_are_arrays_of_the_same
    old ((u8, u8)) = (1, 2);
    new ([u8; 2]) = [3, 4];
    forth ReadsStraight [1, 2];
    back ReadsStraight (3, 4);
}

case! { tuples_widen
    old ((u8, String, bool)) = (1, "x".into(), true);
    new ((u64, String, Option<bool>)) = (1, "x".into(), None);
    forth Reads (1, "x".into(), Some(true));
    back Differs "value.0: u64 → u8";
}

case! { tuple_structures_are_tuples
    old { pub struct T(u8, u8); } = T(1, 2);
    new ((u8, u8)) = (3, 4);
    forth ReadsStraight (1, 2);
    back ReadsStraight T(3, 4);
}

case! { tuple_structures_grow
    old { pub struct T(u8, u8); } = T(1, 2);
    new { pub struct T(u8, u8, Option<u8>); } = T(1, 2, None);
    forth Differs "value: T(u8, u8) → T(u8, u8, u8?)";
    back Differs "value: T(u8, u8, u8?) → T(u8, u8)";
}

case! { lists_and_sets_are_alike
    old (Vec<u8>) = vec![2, 1, 2];
    new (BTreeSet<u8>) = [1, 2].into();
    forth ReadsStraight [1, 2].into();
    back ReadsStraight vec![1, 2];
}

case! { maps_widen
    old (BTreeMap<u8, Vec<u8>>) = [(1, vec![2])].into();
    new (BTreeMap<u16, Vec<i16>>) = [].into();
    forth Reads [(1, vec![2])].into();
    back Differs "value{key}: u16 → u8";
}

case! { values_of_maps_differ
    old (BTreeMap<u8, u16>) = [].into();
    new (BTreeMap<u8, u8>) = [(1, 2)].into();
    forth Differs "value{value}: u16 → u8";
    back Reads [(1, 2)].into();
}

case! { maps_are_not_lists_of_pairs
    old (BTreeMap<u8, u8>) = [].into();
    new (Vec<(u8, u8)>) = vec![];
    forth Differs "value: {u8: u8} → [(u8, u8)]";
    back Differs "value: [(u8, u8)] → {u8: u8}";
}

case! { bytes_are_lists_of_bytes
    old (Vec<u8>) = vec![1, 255];
    new (Bytes) = Bytes::from_static(&[3, 4]);
    forth ReadsStraight Bytes::from_static(&[1, 255]);
    back ReadsStraight vec![3, 4];
}

case! { bytes_become_lists_of_numbers
    old (Bytes) = Bytes::from_static(&[1, 255]);
    new (Vec<i32>) = vec![1];
    forth Reads vec![1, 255];
    back Differs "value: [i32] → bytes";
}

case! { arrays_become_bytes
    old ([u8; 2]) = [1, 255];
    new (Bytes) = Bytes::from_static(&[1]);
    forth Reads Bytes::from_static(&[1, 255]);
    back Differs "value: bytes → [u8; 2]";
}

case! { characters_become_text
    old { pub struct T { c: char } } = T { c: 'ß' };
    new { pub struct T { c: String } } = T { c: "ß".into() };
    forth ReadsStraight T { c: "ß".into() };
    back Differs "T.c: text → char";
}

case! { text_is_not_bytes
    old (String) = "a".into();
    new (Bytes) = Bytes::from_static(b"a");
    forth Differs "value: text → bytes";
    back Differs "value: bytes → text";
}

case! { lists_contain_themselves
    old { pub struct T { n: u8, of: Vec<T> } }
        = T { n: 1, of: vec![T { n: 2, of: vec![] }, T { n: 3, of: vec![] }] };
    new { pub struct T { of: Vec<T>, n: u16 } } = T { of: vec![], n: 4 };
    forth Reads T {
        of: vec![T { of: vec![], n: 2 }, T { of: vec![], n: 3 }],
        n: 1,
    };
    back Differs "T.n: u16 → u8";
}
