//! What the compiler says of traits that cannot be remote.

#[test]
fn what_cannot_be_remote_does_not_compile_and_says_why() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
