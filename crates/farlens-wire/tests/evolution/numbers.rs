//! Numbers get wider, and the other way is refused.

use crate::check::case;

case! { u8_to_u128
    old (u8) = 255;
    new (u128) = 1;
    forth Reads 255;
    back Differs "value: u128 → u8";
}

case! { u16_to_u64
    old (Vec<u16>) = vec![0, 300, u16::MAX];
    new (Vec<u64>) = vec![];
    forth Reads vec![0, 300, 65_535];
    back Differs "value[]: u64 → u16";
}

case! { i8_to_i16
    old (i8) = -128;
    new (i16) = 1;
    forth Reads -128;
    back Differs "value: i16 → i8";
}

case! { i64_to_i128
    old (i64) = i64::MIN;
    new (i128) = 1;
    forth Reads i64::MIN.into();
    back Differs "value: i128 → i64";
}

case! { u32_to_i64
    old (u32) = u32::MAX;
    new (i64) = 1;
    forth Reads u32::MAX.into();
    back Differs "value: i64 → u32";
}

case! { u64_to_i128
    old (u64) = u64::MAX;
    new (i128) = 1;
    forth Reads u64::MAX.into();
    back Differs "value: i128 → u64";
}

case! { unsigned_to_signed_of_the_same_width
    old (u16) = 1;
    new (i16) = 1;
    forth Differs "value: u16 → i16";
    back Differs "value: i16 → u16";
}

case! { usize_is_u64
    old (usize) = 5;
    new (u64) = 6;
    forth ReadsStraight 5;
    back ReadsStraight 6;
}

case! { bool_is_no_number
    old (bool) = true;
    new (u8) = 1;
    forth Differs "value: bool → u8";
    back Differs "value: u8 → bool";
}

case! { text_is_no_number
    old (String) = "1".into();
    new (u8) = 1;
    forth Differs "value: text → u8";
    back Differs "value: u8 → text";
}

/// Floats are no keys, so their cases are tests of their own.
mod floats {
    use crate::check::{Outcome, check};

    #[test]
    fn floats_widen() {
        check(
            &vec![0.1f32, f32::MAX, -0.0],
            Outcome::Reads(vec![f64::from(0.1f32), f64::from(f32::MAX), -0.0]),
        );
        check(&0.1f64, Outcome::<f32>::Differs("value: f64 → f32"));
    }

    #[test]
    fn integers_of_32_bits_become_floats_of_64() {
        check(&u32::MAX, Outcome::Reads(4_294_967_295f64));
        check(&i32::MIN, Outcome::Reads(-2_147_483_648f64));
        check(&u8::MAX, Outcome::Reads(255f64));
        check(&1u64, Outcome::<f64>::Differs("value: u64 → f64"));
        check(&1i64, Outcome::<f64>::Differs("value: i64 → f64"));
        check(&1u128, Outcome::<f64>::Differs("value: u128 → f64"));
    }

    #[test]
    fn integers_of_16_bits_become_floats_of_32() {
        check(&u16::MAX, Outcome::Reads(65_535f32));
        check(&i16::MIN, Outcome::Reads(-32_768f32));
        check(&i8::MIN, Outcome::Reads(-128f32));
        check(&1u32, Outcome::<f32>::Differs("value: u32 → f32"));
        check(&1i32, Outcome::<f32>::Differs("value: i32 → f32"));
    }

    #[test]
    fn floats_are_no_integers() {
        check(&1f32, Outcome::<i128>::Differs("value: f32 → i128"));
        check(&1f64, Outcome::<i128>::Differs("value: f64 → i128"));
    }
}
