//! What callers may give for a command's arguments.

/// What may be given for a command's arguments: the tuple of them; for one argument the value
/// itself; for a `String` also a `&str`.
pub trait IntoArgs<Args> {
    /// The arguments as the command takes them.
    fn into_args(self) -> Args;
}

impl IntoArgs<()> for () {
    fn into_args(self) {}
}

impl<A> IntoArgs<(A,)> for A {
    fn into_args(self) -> (A,) {
        (self,)
    }
}

impl<A> IntoArgs<(A,)> for (A,) {
    fn into_args(self) -> (A,) {
        self
    }
}

impl IntoArgs<(String,)> for &str {
    fn into_args(self) -> (String,) {
        (self.to_owned(),)
    }
}

macro_rules! tuples_are_arguments {
    ($($($arg:ident)+;)+) => {$(
        impl<$($arg),+> IntoArgs<($($arg,)+)> for ($($arg,)+) {
            fn into_args(self) -> ($($arg,)+) {
                self
            }
        }
    )+};
}

tuples_are_arguments! {
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}
