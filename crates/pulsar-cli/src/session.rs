//! What all commands share.

use pulsar_control::{Client, ClientError, ControlDirectory, InstanceName};

/// Which instance is meant, and how to print.
#[derive(Debug)]
pub(crate) struct Session {
    name: Option<InstanceName>,
    json: bool,
}

impl Session {
    pub(crate) const fn new(name: Option<InstanceName>, json: bool) -> Self {
        Self { name, json }
    }

    /// True if programs read the output, not people.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    pub(crate) async fn connect(&self) -> Result<Client, ClientError> {
        let name = self.name.as_ref().map(InstanceName::as_str);
        Client::connect(&ControlDirectory::for_current_user(), name).await
    }
}
