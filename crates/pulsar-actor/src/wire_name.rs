//! Names of commands on the wire.

use std::cell::RefCell;
use std::sync::Arc;

use crate::actor::{ActorKind, Method};

/// A command's name, as it goes with each of its messages.
#[derive(Clone)]
pub(crate) enum Name {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Name {
    /// Of a command of an actor's own. It takes some time to make, so each thread remembers those that it has
    /// used last.
    pub(crate) fn of(kind: &'static ActorKind, method: &'static Method) -> Self {
        let key: (*const ActorKind, *const Method) = (kind, method);
        let known = USED.with_borrow(|used| {
            let (known, name) = used.get(seat(method))?.as_ref()?;
            (*known == key).then(|| Arc::clone(name))
        });
        Self::Shared(known.unwrap_or_else(|| {
            let name: Arc<str> = kind.wire_name(method).into();
            USED.with_borrow_mut(|used| {
                if let Some(seat) = used.get_mut(seat(method)) {
                    *seat = Some((key, Arc::clone(&name)));
                }
            });
            name
        }))
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Static(name) => name,
            Self::Shared(name) => name,
        }
    }
}

/// Names that a thread remembers at most.
const SEATS: usize = 16;

/// A name, by the type's description and the command's. They are constants of the program, and only compared.
type Used = ((*const ActorKind, *const Method), Arc<str>);

thread_local! {
    static USED: RefCell<[Option<Used>; SEATS]> =
        const { RefCell::new([const { None }; SEATS]) };
}

fn seat(method: &'static Method) -> usize {
    let address = std::ptr::from_ref(method).addr();
    address / size_of::<Method>() % SEATS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Anyone;
    use crate::command::Signature;

    #[test]
    fn a_name_is_that_of_its_type_and_command_however_often_it_is_asked_for() {
        let method = |name| {
            let method = Method {
                signature: Signature {
                    name,
                    doc: "",
                    args: &[],
                    reply: "()",
                },
                ack: true,
                concurrent: false,
            };
            &*Box::leak(Box::new(method))
        };
        let kind = ActorKind::of::<Anyone>();
        // More than are remembered.
        let methods: Vec<_> = (0..3 * SEATS)
            .map(|at| method(&*Box::leak(format!("name{at}").into_boxed_str())))
            .collect();
        for method in methods.iter().chain(&methods) {
            for _ in 0..2 {
                let name = Name::of(kind, method);
                assert_eq!(name.as_str(), kind.wire_name(method));
            }
        }
    }
}
