//! Names of commands on the wire.

use std::ptr;

use bytes::Bytes;
use pulsar_loop::runtime::Recent;
use pulsar_wire::CommandBody;

use crate::SendError;
use crate::actor::{ActorKind, Method};

/// Has `read` read the name of a command of an actor's own, as it [leads](CommandBody::lead) each of its messages. It takes
/// some time to make, so each thread remembers those that it has used last.
///
/// # Errors
///
/// [`SendError::Codec`] if it is too long for a frame.
pub(crate) fn with_lead<R>(
    kind: &'static ActorKind,
    method: &'static Method,
    read: impl Fn(&Bytes) -> R,
) -> Result<R, SendError> {
    let key: (*const ActorKind, *const Method) = (kind, method);
    let mark = ptr::from_ref(method).addr() / size_of::<Method>();
    let look = |(known, name): &Used| (*known == key).then(|| read(name));
    if let Some(known) = USED.with(|used| used.find(mark, look)) {
        return Ok(known);
    }
    let name = CommandBody::lead(&kind.wire_name(method)).map_err(SendError::codec)?;
    let result = read(&name);
    USED.with(|used| used.enter(mark, (key, name)));
    Ok(result)
}

/// A name, by the type's description and the command's. They are constants of the program, and only compared.
type Used = ((*const ActorKind, *const Method), Bytes);

thread_local! {
    static USED: Recent<Used> = const { Recent::new() };
}

#[cfg(test)]
mod tests {
    use pulsar_model::Signature;

    use super::*;
    use crate::Anyone;

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
                awaits: false,
            };
            &*Box::leak(Box::new(method))
        };
        let kind = ActorKind::of::<Anyone>();
        // More than are remembered.
        let methods: Vec<_> = (0..48)
            .map(|at| method(&*Box::leak(format!("name{at}").into_boxed_str())))
            .collect();
        for method in methods.iter().chain(&methods) {
            for _ in 0..2 {
                let lead = with_lead(kind, method, Bytes::clone).unwrap();
                let body = CommandBody::decode(&lead).unwrap();
                assert_eq!(body.command, kind.wire_name(method));
            }
        }
    }
}
