//! Fields come, go, move and get other names.

use crate::check::case;

case! { they_change_places
    old { pub struct T { a: u8, b: String } } = T { a: 1, b: "x".into() };
    new { pub struct T { b: String, a: u8 } } = T { b: "y".into(), a: 2 };
    forth Reads T { a: 1, b: "x".into() };
    back Reads T { a: 2, b: "y".into() };
}

case! { one_is_added_with_a_default
    old { pub struct T { a: u8 } } = T { a: 1 };
    new { pub struct T { #[serde(default)] b: u32, a: u8 } } = T { b: 7, a: 2 };
    forth Reads T { b: 0, a: 1 };
    back Reads T { a: 2 };
}

case! { one_is_added_with_a_default_of_its_own
    old { pub struct T { a: u8 } } = T { a: 1 };
    new {
        pub struct T { a: u8, #[serde(default = "String::new")] b: String }
    } = T { a: 2, b: "x".into() };
    forth Reads T { a: 1, b: String::new() };
    back Reads T { a: 2 };
}

case! { all_have_defaults
    old { #[derive(Default)] #[serde(default)] pub struct T { a: u8, b: u8 } } = T { a: 1, b: 2 };
    new { #[derive(Default)] #[serde(default)] pub struct T { b: u8, c: u8 } } = T { b: 3, c: 4 };
    forth Reads T { b: 2, c: 0 };
    back Reads T { a: 0, b: 3 };
}

case! { one_is_added_without_a_default
    old { pub struct T { a: u8 } } = T { a: 1 };
    new { pub struct T { a: u8, gain: u64 } } = T { a: 2, gain: 3 };
    forth Differs "T.gain: the reader needs it, the writer does not have it";
    back Reads T { a: 2 };
}

case! { an_option_is_added
    old { pub struct T { a: u8 } } = T { a: 1 };
    new { pub struct T { a: u8, b: Option<String> } } = T { a: 2, b: Some("x".into()) };
    forth Reads T { a: 1, b: None };
    back Reads T { a: 2 };
}

case! { an_option_in_a_newtype_is_no_option_to_serde
    old { pub struct T { a: u8 } } = T { a: 1 };
    new { pub struct T { a: u8, b: Maybe } pub struct Maybe(Option<u8>); }
        = T { a: 2, b: Maybe(None) };
    forth Differs "T.b: the reader needs it, the writer does not have it";
    back Reads T { a: 2 };
}

case! { one_is_removed
    old { pub struct T { a: u8, list: Vec<(String, i32)>, b: u8 } }
        = T { a: 1, list: vec![("x".into(), -1), ("y".into(), 2)], b: 2 };
    new { pub struct T { a: u8, b: u8 } } = T { a: 3, b: 4 };
    forth Reads T { a: 1, b: 2 };
    back Differs "T.list: the reader needs it, the writer does not have it";
}

case! { a_closed_type_has_fewer
    old { pub struct T { a: u8, b: Option<u8> } } = T { a: 1, b: None };
    new { #[serde(deny_unknown_fields)] pub struct T { a: u8 } } = T { a: 2 };
    forth Differs "T.b: the reader does not know it and refuses what it does not know";
    back Reads T { a: 2, b: None };
}

case! { one_is_renamed_with_an_alias
    old { pub struct T { a: u8, colour: u32 } } = T { a: 1, colour: 2 };
    new { pub struct T { a: u8, #[serde(alias = "colour")] color: u32 } } = T { a: 3, color: 4 };
    forth ReadsStraight T { a: 1, color: 2 };
    back Differs "T.colour: the reader needs it, the writer does not have it";
}

case! { an_alias_is_found_elsewhere
    old { pub struct T { a: u8, b: u32 } } = T { a: 1, b: 2 };
    new { pub struct T { #[serde(alias = "b", alias = "bb")] c: u64, a: u8 } } = T { c: 3, a: 4 };
    forth Reads T { c: 2, a: 1 };
    back Differs "T.b: the reader needs it, the writer does not have it";
}

case! { an_alias_and_its_name_are_both_there
    old { pub struct T { a: u8, b: u8 } } = T { a: 1, b: 2 };
    new { pub struct T { #[serde(alias = "b")] a: u8 } } = T { a: 3 };
    forth Differs "T.a: the writer has it under two of its names";
    back Differs "T.b: the reader needs it, the writer does not have it";
}

case! { one_is_renamed_in_rust_only
    old { pub struct T { kind: u8 } } = T { kind: 1 };
    new { pub struct T { #[serde(rename = "kind")] sort: u8 } } = T { sort: 2 };
    forth ReadsStraight T { sort: 1 };
    back ReadsStraight T { kind: 2 };
}

case! { all_are_spelled_otherwise_in_rust_only
    old { pub struct T { toolName: u8, tNs: u16 } } = T { toolName: 1, tNs: 2 };
    new { #[serde(rename_all = "camelCase")] pub struct T { t_ns: u16, tool_name: u8 } }
        = T { t_ns: 3, tool_name: 4 };
    forth Reads T { t_ns: 2, tool_name: 1 };
    back Reads T { toolName: 4, tNs: 3 };
}

case! { the_type_is_renamed
    old { pub struct T { of: Old } pub struct Old { a: u8 } } = T { of: Old { a: 1 } };
    new { pub struct T { of: New } pub struct New { a: u8 } } = T { of: New { a: 2 } };
    forth ReadsStraight T { of: New { a: 1 } };
    back ReadsStraight T { of: Old { a: 2 } };
}

case! { one_inside_changes
    old {
        pub struct T { list: Vec<In> }
        pub struct In { tool: Option<Tool> }
        pub struct Tool { n: u16 }
    }
        = T { list: vec![In { tool: Some(Tool { n: 1 }) }, In { tool: None }] };
    new {
        pub struct T { list: Vec<In> }
        pub struct In { tool: Option<Tool> }
        pub struct Tool { n: u8 }
    }
        = T { list: vec![In { tool: Some(Tool { n: 2 }) }] };
    forth Differs "T.list[].tool.n: u16 → u8";
    back Reads T { list: vec![In { tool: Some(Tool { n: 2 }) }] };
}

case! { a_list_becomes_text
    old { pub struct T { matrix: Vec<i8> } } = T { matrix: vec![1] };
    new { pub struct T { matrix: String } } = T { matrix: "1".into() };
    forth Differs "T.matrix: [i8] → text";
    back Differs "T.matrix: text → [i8]";
}

case! { an_empty_structure_grows
    old { pub struct T; } = T;
    new { pub struct T { why: Option<String>, #[serde(default)] n: u8 } } = T { why: None, n: 1 };
    forth Reads T { why: None, n: 0 };
    back Reads T;
}

case! { an_empty_structure_grows_by_what_is_needed
    old { pub struct T; } = T;
    new { pub struct T { n: u8 } } = T { n: 1 };
    forth Differs "T.n: the reader needs it, the writer does not have it";
    back Reads T;
}

case! { nothing_is_not_a_structure
    old (()) = ();
    new { pub struct T { n: Option<u8> } } = T { n: None };
    forth Differs "T: () → T";
    back Differs "T: T → ()";
}

case! { structures_are_not_maps
    old { pub struct T { a: u8 } } = T { a: 1 };
    new (BTreeMap<String, u8>) = [("a".to_owned(), 1)].into();
    forth Differs "T: T → {text: u8}";
    back Differs "T: {text: u8} → T";
}
