//! Everything that a child is told about the world it lives in.

use bytes::Bytes;

use crate::FieldsError;
use crate::fields::{Fields, FieldsWriter};

const VERSION: u16 = 1;
const IDENTITY: u16 = 2;
const WORLD: u16 = 3;
const TIMING: u16 = 4;
const LOG: u16 = 5;
const SETTINGS: u16 = 6;
const BEHAVIOUR: u16 = 7;
const DESCRIPTOR: u16 = 8;

/// The name under which a descriptor that came with the record is found.
pub type DescriptorName = String;

/// The one record from which a child learns its world. It is the same however the child is
/// made; nothing reaches a child by way of statics that `main` set.
///
/// Its parts are bytes here: each belongs to a layer above that knows its meaning.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BootRecord {
    /// [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION) of the manager.
    pub version: u32,
    /// Who the child is, and under whom it lives.
    pub identity: Bytes,
    /// Environment, working directory, umask and limits.
    pub world: Bytes,
    /// How often to notify, how long to wait for what.
    pub timing: Bytes,
    /// What to log and how.
    pub log: Bytes,
    /// The application's settings.
    pub settings: Bytes,
    /// The hooks or the actor to run, with their arguments.
    pub behaviour: Bytes,
    /// The names of the descriptors that come with the record, in their order.
    pub descriptors: Vec<DescriptorName>,
}

impl BootRecord {
    /// The body of a [`Kind::Boot`](crate::Kind::Boot) frame, under this build's version.
    pub fn encode(&self) -> Bytes {
        let mut fields = FieldsWriter::default();
        fields
            .put_u64(VERSION, self.version.into())
            .put(IDENTITY, &self.identity)
            .put(WORLD, &self.world)
            .put(TIMING, &self.timing)
            .put(LOG, &self.log)
            .put(SETTINGS, &self.settings)
            .put(BEHAVIOUR, &self.behaviour);
        for name in &self.descriptors {
            fields.put(DESCRIPTOR, name.as_bytes());
        }
        fields.finish()
    }

    /// Reads a record. Parts that are absent are empty.
    ///
    /// # Errors
    ///
    /// [`FieldsError`] if it is no record, or a descriptor's name is no UTF-8.
    pub fn decode(body: Bytes) -> Result<Self, FieldsError> {
        let fields = Fields::read(body)?;
        let part = |tag| fields.get(tag).cloned().unwrap_or_default();
        let name = |value: &Bytes| match std::str::from_utf8(value) {
            Ok(name) => Ok(name.to_owned()),
            Err(_) => Err(FieldsError::Value(DESCRIPTOR)),
        };
        Ok(Self {
            version: fields.get_u32(VERSION)?,
            identity: part(IDENTITY),
            world: part(WORLD),
            timing: part(TIMING),
            log: part(LOG),
            settings: part(SETTINGS),
            behaviour: part(BEHAVIOUR),
            descriptors: fields
                .list(DESCRIPTOR)
                .map(name)
                .collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn parts()(part in proptest::collection::vec(any::<u8>(), 0..200)) -> Bytes {
            part.into()
        }
    }

    proptest! {
        #[test]
        fn a_record_survives_the_wire(
            identity in parts(), world in parts(), timing in parts(), log in parts(),
            settings in parts(), behaviour in parts(), descriptors: Vec<String>, version: u32,
        ) {
            let record = BootRecord {
                version, identity, world, timing, log, settings, behaviour, descriptors,
            };
            prop_assert_eq!(BootRecord::decode(record.encode()), Ok(record));
        }
    }

    #[test]
    fn a_record_of_a_later_version_is_read() {
        let mut later = FieldsWriter::default();
        later
            .put_u64(VERSION, 2)
            .put(IDENTITY, b"me")
            .put(77, b"new");
        let record = BootRecord::decode(later.finish()).unwrap();
        assert_eq!((record.version, &record.identity[..]), (2, &b"me"[..]));
    }
}
