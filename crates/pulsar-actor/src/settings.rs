//! The settings of an actor as its commands see them: the runtime's own beside those that its code declares.

use pulsar_settings::Declaration;
use serde_json::Value;

use crate::{Context, Json, SettingError, SettingInfo};

impl Context {
    /// Begins to declare a setting with this name and value.
    pub(crate) fn declare<T>(&self, name: String, value: T) -> Declaration<'_, T> {
        let is_taken = |name: &str| own().any(|own| own.name == name);
        self.cell.settings.begin(name, value, is_taken)
    }

    /// All its settings: the runtime's own, then those declared, by name.
    pub(crate) fn settings(&self) -> Vec<SettingInfo> {
        let declared = self.cell.settings.all();
        own().map(|own| own.info(self)).chain(declared).collect()
    }

    pub(crate) fn get_setting(&self, name: &str) -> Result<Json, SettingError> {
        if let Some(own) = own().find(|own| own.name == name) {
            return Ok(own.info(self).value);
        }
        let declared = self.cell.settings.get(name);
        declared.ok_or_else(|| {
            let known = self.settings().into_iter().map(|known| known.name);
            let (name, known) = (name.to_owned(), known.collect());
            SettingError::Unknown { name, known }
        })
    }

    /// Sets a value; the one before.
    pub(crate) fn set_setting(&self, name: &str, value: Json) -> Result<Json, SettingError> {
        let before = self.get_setting(name)?;
        let set = match own().find(|own| own.name == name) {
            Some(own) => own.set.map(|set| set(self, value.0)),
            None => self.cell.settings.set(name, value),
        };
        let name = name.to_owned();
        match set {
            Some(Ok(())) => Ok(before),
            Some(Err(reason)) => Err(SettingError::Invalid { name, reason }),
            None => Err(SettingError::Fixed { name }),
        }
    }
}

/// Sets one of the runtime's own; the error says what is wrong with the value.
type SetOwn = fn(&Context, Value) -> Result<(), String>;

/// A setting that each actor has.
struct Own {
    name: &'static str,
    doc: &'static str,
    show: fn(&Context) -> Value,
    set: Option<SetOwn>,
}

impl Own {
    fn info(&self, cx: &Context) -> SettingInfo {
        SettingInfo {
            name: self.name.to_owned(),
            value: Json((self.show)(cx)),
            changeable: self.set.is_some(),
            doc: self.doc.to_owned(),
        }
    }
}

fn own() -> impl Iterator<Item = &'static Own> {
    const OWN: &[Own] = &[
        Own {
            name: "exit_timeout_s",
            doc: "how long it has from being asked to stop to being killed",
            show: |cx| cx.cell.birth.exit_timeout.as_secs_f64().into(),
            set: None,
        },
        Own {
            name: "mailbox_capacity",
            doc: "messages that may wait",
            show: |cx| cx.cell.mailbox.messages().capacity().into(),
            set: None,
        },
        Own {
            name: "notify_every_s",
            doc: "the period of its notifies",
            show: |cx| cx.cell.birth.notify_every.as_secs_f64().into(),
            set: None,
        },
        Own {
            name: "period_s",
            doc: "the period of its periodic task",
            show: |cx| cx.period().as_secs_f64().into(),
            set: Some(|cx, value| {
                let seconds = value.as_f64().ok_or("it is a number of seconds")?;
                let period = std::time::Duration::try_from_secs_f64(seconds);
                cx.set_period(period.map_err(|error| error.to_string())?);
                Ok(())
            }),
        },
    ];
    OWN.iter()
}
