//! Function pointers that travel between processes of the same executable.
//!
//! # Why this is sound, and how far
//!
//! An address means nothing in another process, as each is loaded at a place of its own. The distance from the start
//! of the program's image means the same in all processes that run the same executable. [`CodeOffset`] is that
//! distance with a signature of the pointer's type.
//!
//! Calling a wrong address is undefined behaviour, and no check can tell the start of a function of a given type from
//! the middle of another. So [`CodeOffset::resolve`] rests on where the offset came from:
//!
//! - In the process that made it, the exact pair of offset and signature is remembered by [`CodeOffset::of`], and
//!   only a remembered pair is accepted. That is a full proof: the type's identity is part of the pair.
//! - In a child (as [`boot::take`] marks it) any pair is accepted that has the right signature and
//!   lies in executable code of the main program. That is *not* a full proof. The rest is a rule that the layer above
//!   keeps: a child decodes offsets only from the link to its own manager; the link is the inherited socket that only
//!   the manager's process holds; both have compared their [`Build`](crate::build_id::Build) before the first offset;
//!   and a manager sends only what [`CodeOffset::of`] gave it. A manager could run any code in its child anyway.
//! - Everywhere else it is [`CodeError::Foreign`]. Function pointers only travel downwards: what a child sends up is
//!   accepted by its manager only if the manager itself has made the same pair before.

use std::{
    any::TypeId,
    cell::Cell,
    collections::BTreeSet,
    hash::{Hash, Hasher},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{boot, fnv::Fnv64, image::Image};

/// A plain function pointer, `fn(A, ..) -> R` with at most three arguments, in Rust's own calling convention;
/// or a [`Lending`] one.
///
/// All types may be opaque, such as the future of an `async fn`. The trait is sealed.
pub trait FnPointer: sealed::Address + Copy + Send + Sync + 'static {}

/// A function of the program, in a form that means the same in each process of the same executable.
///
/// See the [module](self) for when it may be turned back into a pointer.
///
/// It can only be read inside [`trusting`]: what a stranger wrote is never taken for one.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CodeOffset {
    offset: i64,
    signature: u64,
}

thread_local! {
    /// How many calls of [`trusting`] this thread is in.
    static TRUSTING: Cell<u32> = const { Cell::new(0) };
}

/// Runs `read` with [`CodeOffset`]s readable: for the reading of what came from one's own manager, which runs the same
/// executable, and of nothing else. Elsewhere reading one is an error.
pub fn trusting<R>(read: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            TRUSTING.with(|depth| depth.set(depth.get() - 1));
        }
    }
    TRUSTING.with(|depth| depth.set(depth.get() + 1));
    let _leave = Leave;
    read()
}

impl<'de> Deserialize<'de> for CodeOffset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            offset: i64,
            signature: u64,
        }
        if TRUSTING.with(Cell::get) == 0 {
            return Err(D::Error::custom(
                "a function is only passed in the arguments of a hook, from a manager",
            ));
        }
        let Written { offset, signature } = Written::deserialize(deserializer)?;
        Ok(Self { offset, signature })
    }
}

/// The pairs that this process has made, each proven by the pointer it came from.
///
/// Bounded by the number of functions in the program.
static MADE_HERE: Mutex<BTreeSet<(i64, u64)>> = Mutex::new(BTreeSet::new());

impl CodeOffset {
    /// The place of the function in the program's own image.
    ///
    /// # Errors
    ///
    /// [`CodeError::NotInProgram`] if the function lies in a shared library, [`CodeError::Unsupported`] where the
    /// platform doesn't tell where the program lies.
    pub fn of<F: FnPointer>(function: F) -> Result<Self, CodeError> {
        let image = Image::own().ok_or(CodeError::Unsupported)?;
        let address = function.address();
        if !image.holds_code_at(address) {
            return Err(CodeError::NotInProgram);
        }
        let made = Self {
            offset: address.wrapping_sub(image.base) as i64,
            signature: signature::<F>(),
        };
        // A set of plain numbers can't be left half-changed by a panic, so a poisoned lock is as good as any.
        let mut known = MADE_HERE.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((made.offset, made.signature));
        Ok(made)
    }

    /// Back to a pointer of the type that it was made of.
    ///
    /// # Errors
    ///
    /// [`CodeError::WrongSignature`] if it was made of a pointer of another type, [`CodeError::NotInProgram`] if no
    /// code of the program lies there, [`CodeError::Foreign`] if this process neither made the offset nor is a child,
    /// [`CodeError::Unsupported`] where the platform doesn't tell where the program lies.
    pub fn resolve<F: FnPointer>(self) -> Result<F, CodeError> {
        if self.signature != signature::<F>() {
            return Err(CodeError::WrongSignature {
                expected: std::any::type_name::<F>(),
            });
        }
        let image = Image::own().ok_or(CodeError::Unsupported)?;
        if !self.is_made_here() && !boot::is_child() {
            return Err(CodeError::Foreign);
        }
        let address = image.base.wrapping_add(self.offset as usize);
        if !image.holds_code_at(address) {
            return Err(CodeError::NotInProgram);
        }
        // SAFETY: the address lies in the program's code. Either `of` has seen a pointer of exactly this type there
        // (the signature is made of the type's identity), or this is a child and the offset was made by `of` in the
        // manager, which runs the same executable: the trust that the module's documentation lays open.
        Ok(unsafe { F::from_address(address) })
    }

    fn is_made_here(self) -> bool {
        let known = MADE_HERE.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&(self.offset, self.signature))
    }
}

/// Why a function pointer can't travel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// The address isn't code of the main program.
    #[error("the function is not part of the program's own file; link its library statically")]
    NotInProgram,
    /// The pointer had another type when it was made.
    #[error("the function does not have the type {expected}")]
    WrongSignature {
        /// The type that was asked for.
        expected: &'static str,
    },
    /// The offset came from another process, and this one is no child that may trust it.
    #[error("the function pointer was made by another process, which this one does not trust")]
    Foreign,
    /// The platform doesn't tell where the program lies in memory.
    #[error("function pointers cannot be sent to another process on this platform")]
    Unsupported,
}

/// A number for the type, equal in all processes of one executable.
///
/// The type's identity, not its name: two types in different scopes of one function have the same name.
fn signature<F: FnPointer>() -> u64 {
    let mut hash = Fnv64::new();
    TypeId::of::<F>().hash(&mut hash);
    hash.finish()
}

mod sealed {
    /// The address of a function, both ways. Public in a private module, so that nobody else can implement it.
    pub trait Address: Sized {
        fn address(self) -> usize;

        /// # Safety
        ///
        /// A function of exactly this type must start at the address.
        unsafe fn from_address(address: usize) -> Self;
    }
}

macro_rules! fn_pointer {
    ([$($argument:ident),*] $pointer:ty) => {
        impl<R: 'static, $($argument: 'static),*> FnPointer for $pointer {}

        impl<R: 'static, $($argument: 'static),*> sealed::Address for $pointer {
            fn address(self) -> usize {
                (self as *const ()).expose_provenance()
            }

            unsafe fn from_address(address: usize) -> Self {
                let code = std::ptr::with_exposed_provenance::<()>(address);
                // SAFETY: a function pointer is as wide as a data pointer on all platforms that std knows, it isn't
                // null as a function starts there, and the caller vouches for the function's type.
                unsafe { std::mem::transmute::<*const (), Self>(code) }
            }
        }
    };
}

fn_pointer!([] fn() -> R);
fn_pointer!([A] fn(A) -> R);
fn_pointer!([A, B] fn(A, B) -> R);
fn_pointer!([A, B, C] fn(A, B, C) -> R);

/// A function that is lent its second argument. A type of its own: as a bare pointer it would be taken for one of those
/// above, whose arguments have a lifetime each.
pub struct Lending<A, B, R>(pub fn(A, &mut B) -> R);

/// As [`Lending`], with a third argument.
pub struct LendingWith<A, B, C, R>(pub fn(A, &mut B, C) -> R);

macro_rules! lending {
    ($name:ident [$($argument:ident),*] $pointer:ty) => {
        impl<R, $($argument),*> Clone for $name<$($argument,)* R> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<R, $($argument),*> Copy for $name<$($argument,)* R> {}

        impl<R: 'static, $($argument: 'static),*> FnPointer for $name<$($argument,)* R> {}

        impl<R: 'static, $($argument: 'static),*> sealed::Address for $name<$($argument,)* R> {
            fn address(self) -> usize {
                (self.0 as *const ()).expose_provenance()
            }

            unsafe fn from_address(address: usize) -> Self {
                let code = std::ptr::with_exposed_provenance::<()>(address);
                // SAFETY: as for the pointers above; what the caller vouches for is the type of the field.
                Self(unsafe { std::mem::transmute::<*const (), $pointer>(code) })
            }
        }
    };
}

lending!(Lending [A, B] fn(A, &mut B) -> R);
lending!(LendingWith [A, B, C] fn(A, &mut B, C) -> R);

#[cfg(test)]
mod tests {
    use super::*;

    fn double(number: u32) -> u32 {
        number * 2
    }

    async fn add(left: u32, right: u32) -> u32 {
        left + right
    }

    fn of_future<F: 'static>(function: fn(u32, u32) -> F) -> CodeOffset {
        CodeOffset::of(function).unwrap()
    }

    fn like<F: 'static>(offset: CodeOffset, _: fn(u32, u32) -> F) -> fn(u32, u32) -> F {
        offset.resolve().unwrap()
    }

    #[test]
    fn a_function_returns_from_its_offset() {
        let offset = CodeOffset::of(double as fn(u32) -> u32).unwrap();
        let bytes = postcard::to_stdvec(&offset).unwrap();
        assert!(postcard::from_bytes::<CodeOffset>(&bytes).is_err());
        let decoded: CodeOffset = trusting(|| postcard::from_bytes(&bytes)).unwrap();
        assert!(postcard::from_bytes::<CodeOffset>(&bytes).is_err());
        assert_eq!(decoded.resolve::<fn(u32) -> u32>().unwrap()(21), 42);
    }

    #[test]
    fn a_closure_without_captures_returns_from_its_offset() {
        let offset = CodeOffset::of((|| 7) as fn() -> u8).unwrap();
        assert_eq!(offset.resolve::<fn() -> u8>().unwrap()(), 7);
    }

    #[test]
    fn a_function_with_an_opaque_future_returns_from_its_offset() {
        let mut future = Box::pin(like(of_future(add), add)(40, 2));
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        let poll = future.as_mut().poll(&mut task);
        assert_eq!(poll, std::task::Poll::Ready(42));
    }

    #[test]
    fn a_function_that_is_lent_something_returns_from_its_offset() {
        fn push(number: u8, list: &mut Vec<u8>) {
            list.push(number);
        }
        let offset = CodeOffset::of(Lending(push)).unwrap();
        let mut list = Vec::new();
        (offset.resolve::<Lending<u8, Vec<u8>, ()>>().unwrap().0)(7, &mut list);
        assert_eq!(list, [7]);
        let other = offset.resolve::<LendingWith<u8, Vec<u8>, u8, ()>>();
        assert!(matches!(other, Err(CodeError::WrongSignature { .. })));
    }

    #[test]
    fn another_type_is_refused() {
        let offset = CodeOffset::of(double as fn(u32) -> u32).unwrap();
        let error = offset.resolve::<fn(u64) -> u32>().unwrap_err();
        assert!(matches!(error, CodeError::WrongSignature { .. }));
    }

    #[test]
    fn types_of_the_same_name_have_different_signatures() {
        fn first() -> u64 {
            struct Same;
            signature::<fn(Same)>()
        }
        fn second() -> u64 {
            struct Same;
            signature::<fn(Same)>()
        }
        assert_ne!(first(), second());
    }

    #[test]
    fn a_pair_that_was_not_made_here_is_foreign() {
        let offset = CodeOffset::of(double as fn(u32) -> u32).unwrap();
        let forged = CodeOffset {
            offset: offset.offset + 1,
            ..offset
        };
        let error = forged.resolve::<fn(u32) -> u32>().unwrap_err();
        assert!(matches!(error, CodeError::Foreign));
    }

    #[test]
    fn a_function_of_a_shared_library_is_refused() {
        // SAFETY: the name is a C string, and looking up a symbol changes nothing.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"getenv".as_ptr()) };
        assert!(
            !address.is_null(),
            "the C library is not linked dynamically"
        );
        // SAFETY: a function pointer to code of the C library; it is never called.
        let function = unsafe { std::mem::transmute::<*mut libc::c_void, fn()>(address) };
        assert!(matches!(
            CodeOffset::of(function),
            Err(CodeError::NotInProgram)
        ));
    }
}
