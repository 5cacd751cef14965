//! What the macros say to those who use them wrongly: each case in `compile-fail` is one mistake, and beside it stands
//! what the compiler says. After a change of a message, `TRYBUILD=overwrite` writes that anew: read it.
#![forbid(unsafe_code)]

#[test]
fn each_mistake_is_told_at_its_place_with_what_to_write() {
    trybuild::TestCases::new().compile_fail("compile-fail/*.rs");
}
