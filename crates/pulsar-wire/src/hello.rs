//! What a new process says first.

use bytes::Bytes;

use crate::fields::{Fields, FieldsWriter};
use crate::{Aid, FieldsError, Incarnation};

/// The version of the link's protocol. It changes when two versions could not understand each
/// other; fields that are only added do not change it.
pub const PROTOCOL_VERSION: u32 = 1;

const VERSION: u16 = 1;
const BUILD: u16 = 2;
const AID: u16 = 3;
const INCARNATION: u16 = 4;
const PID: u16 = 5;

/// The first frame of a child: who it is and what it was built from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of the sender.
    pub version: u32,
    /// The executable's identity, as the sender's system layer writes it.
    pub build: Bytes,
    /// Who the sender was told to be.
    pub aid: Aid,
    /// Which life it was told to live.
    pub incarnation: Incarnation,
    /// Its process id.
    pub pid: u32,
}

impl Hello {
    /// The body of a [`Kind::Hello`](crate::Kind::Hello) frame.
    pub fn encode(&self) -> Bytes {
        let mut fields = FieldsWriter::default();
        fields
            .put_u64(VERSION, self.version.into())
            .put(BUILD, &self.build)
            .put(AID, self.aid.to_string().as_bytes())
            .put_u64(INCARNATION, self.incarnation.0.into())
            .put_u64(PID, self.pid.into());
        fields.finish()
    }

    /// Reads a hello.
    ///
    /// # Errors
    ///
    /// [`HelloError::Malformed`] or [`HelloError::Identity`]. Whether version, build and
    /// identity are the expected ones is [`check`](Self::check)'s to say.
    pub fn decode(body: Bytes) -> Result<Self, HelloError> {
        let fields = Fields::read(body)?;
        let aid = fields
            .get(AID)
            .and_then(|text| std::str::from_utf8(text).ok());
        Ok(Self {
            version: fields.get_u32(VERSION)?,
            build: fields.get(BUILD).cloned().unwrap_or_default(),
            aid: aid
                .and_then(|text| text.parse().ok())
                .ok_or(HelloError::Identity)?,
            incarnation: Incarnation(fields.get_u32(INCARNATION)?),
            pid: fields.get_u32(PID)?,
        })
    }

    /// Compares with what was expected of this peer. The pid is not compared: in another pid
    /// namespace the same process has another.
    ///
    /// # Errors
    ///
    /// The first difference: version, then build, then identity.
    pub fn check(&self, expected: &Self) -> Result<(), HelloError> {
        if self.version != expected.version {
            return Err(HelloError::Version {
                theirs: self.version,
                ours: expected.version,
            });
        }
        if self.build != expected.build {
            return Err(HelloError::Build);
        }
        match (self.aid, self.incarnation) == (expected.aid, expected.incarnation) {
            true => Ok(()),
            false => Err(HelloError::Identity),
        }
    }
}

/// A hello that is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// It is no record.
    #[error("hello is malformed")]
    Malformed(#[from] FieldsError),
    /// The peer speaks another version of the protocol.
    #[error("hello has protocol version {theirs}, this side has {ours}")]
    Version {
        /// The peer's.
        theirs: u32,
        /// This side's.
        ours: u32,
    },
    /// The peer is another executable.
    #[error("hello comes from another build of the program")]
    Build,
    /// The peer claims to be somebody else.
    #[error("hello claims another identity than the one given to this peer")]
    Identity,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ArbiterId;

    fn hello() -> Hello {
        Hello {
            version: PROTOCOL_VERSION,
            build: Bytes::from_static(b"build"),
            aid: Aid::new(ArbiterId::from_entropy(3), 9),
            incarnation: Incarnation(2),
            pid: 4711,
        }
    }

    #[test]
    fn a_hello_survives_the_wire() {
        assert_eq!(Hello::decode(hello().encode()), Ok(hello()));
    }

    #[test]
    fn each_difference_is_told_apart() {
        let expected = hello();
        let with = |change: fn(&mut Hello)| {
            let mut other = hello();
            change(&mut other);
            other.check(&expected)
        };
        assert_eq!(with(|hello| hello.pid = 1), Ok(()));
        let version = HelloError::Version {
            theirs: 9,
            ours: PROTOCOL_VERSION,
        };
        assert_eq!(with(|hello| hello.version = 9), Err(version));
        assert_eq!(
            with(|hello| hello.build = Bytes::new()),
            Err(HelloError::Build)
        );
        let next = |hello: &mut Hello| hello.incarnation = hello.incarnation.next();
        assert_eq!(with(next), Err(HelloError::Identity));
        let other = |hello: &mut Hello| hello.aid = Aid::new(hello.aid.arbiter(), 1);
        assert_eq!(with(other), Err(HelloError::Identity));
    }
}
