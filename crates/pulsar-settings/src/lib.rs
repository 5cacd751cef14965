//! Settings: values of an actor's that tools see, and may change where its code allows it.
//!
//! Users find [`Setting`] and [`Declaration`] as `pulsar`'s, and an example at `pulsar::Context::setting`.
#![forbid(unsafe_code)]

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use pulsar_model::{Json, SettingError, SettingInfo, panic_message};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

/// Settings that an actor may declare: they are for people, who read them all.
const MAX_SETTINGS: usize = 256;

/// A setting of an actor's, as its own code reads it.
///
/// Others read it by the built-in command `config_get`, and set it by `config_set` if it was declared
/// [`changeable`](Declaration::changeable).
#[derive(Clone)]
pub struct Setting<T> {
    value: watch::Receiver<T>,
}

impl<T: Clone> Setting<T> {
    /// The value now.
    pub fn get(&self) -> T {
        self.value.borrow().clone()
    }

    /// Waits for the next change, from the last that this handle has seen, and gives the value then.
    /// For ever, if the actor has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a change that came is seen by the next call.
    pub async fn changed(&mut self) -> T {
        match self.value.changed().await {
            Ok(()) => self.value.borrow_and_update().clone(),
            Err(_) => std::future::pending().await,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Setting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Setting({:?})", &*self.value.borrow())
    }
}

/// A setting that is being declared, by `Context::setting`.
#[must_use = "nothing is declared until this is made `fixed` or `changeable`"]
pub struct Declaration<'a, T> {
    settings: &'a Settings,
    name: String,
    value: T,
    doc: String,
    check: fn(&T) -> Result<(), String>,
    is_taken: fn(&str) -> bool,
}

impl<T: Serialize + Clone + Send + Sync + 'static> Declaration<'_, T> {
    /// What it is for, in a few words.
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = doc.into();
        self
    }

    /// What a new value must pass beside being of its type; the error says what is wrong.
    pub fn check(mut self, check: fn(&T) -> Result<(), String>) -> Self {
        self.check = check;
        self
    }

    /// Declares it, for others to read.
    ///
    /// # Errors
    ///
    /// [`SettingError::Taken`], [`SettingError::Limit`].
    pub fn fixed(self) -> Result<Setting<T>, SettingError> {
        self.declare(|_| None)
    }

    /// Declares it, for others to read and to set.
    ///
    /// # Errors
    ///
    /// [`SettingError::Taken`], [`SettingError::Limit`].
    pub fn changeable(self) -> Result<Setting<T>, SettingError>
    where
        T: DeserializeOwned,
    {
        let check = self.check;
        self.declare(|to_value| {
            Some(Box::new(move |new| {
                // Unwind safe: a value that is not taken is dropped.
                let checked = catch_unwind(AssertUnwindSafe(|| {
                    let new: T = serde_json::from_value(new).map_err(|error| error.to_string())?;
                    check(&new).map(|()| new)
                }));
                let panicked = |panic: Box<dyn Any + Send>| panic_message(&*panic).to_owned();
                let new = checked.map_err(panicked)??;
                to_value.send_replace(new);
                Ok(())
            }))
        })
    }

    fn declare(
        self,
        setter: impl FnOnce(watch::Sender<T>) -> Option<SetDeclared>,
    ) -> Result<Setting<T>, SettingError> {
        if (self.is_taken)(&self.name) {
            return Err(SettingError::Taken { name: self.name });
        }
        let (to_value, value) = watch::channel(self.value);
        let shown = value.clone();
        let declared = Declared {
            doc: self.doc,
            show: Box::new(move || serde_json::to_value(&*shown.borrow()).unwrap_or_default()),
            set: setter(to_value),
        };
        self.settings.declare(self.name, declared)?;
        Ok(Setting { value })
    }
}

/// The settings that one actor's code declares.
#[derive(Default)]
pub struct Settings {
    declared: Mutex<BTreeMap<String, Arc<Declared>>>,
}

/// Sets a value; the error says what is wrong with it.
type SetDeclared = Box<dyn Fn(Value) -> Result<(), String> + Send + Sync>;

struct Declared {
    doc: String,
    show: Box<dyn Fn() -> Value + Send + Sync>,
    /// None where it is fixed.
    set: Option<SetDeclared>,
}

impl Declared {
    fn info(&self, name: &str) -> SettingInfo {
        SettingInfo {
            name: name.to_owned(),
            value: Json((self.show)()),
            changeable: self.set.is_some(),
            doc: self.doc.clone(),
        }
    }
}

impl Settings {
    /// Declares one, as its [`Declaration`] says in the end. `is_taken` tells the names that it must not have.
    pub fn begin<T>(
        &self,
        name: String,
        value: T,
        is_taken: fn(&str) -> bool,
    ) -> Declaration<'_, T> {
        Declaration {
            settings: self,
            name,
            value,
            doc: String::new(),
            check: |_| Ok(()),
            is_taken,
        }
    }

    fn declare(&self, name: String, declared: Declared) -> Result<(), SettingError> {
        let mut all = self.declared.lock();
        if all.contains_key(&name) {
            return Err(SettingError::Taken { name });
        }
        if all.len() >= MAX_SETTINGS {
            return Err(SettingError::Limit {
                limit: MAX_SETTINGS,
            });
        }
        all.insert(name, Arc::new(declared));
        Ok(())
    }

    /// A setting, to be used outside of the lock: its type's code and its check are the user's, and may
    /// come back here.
    fn declared(&self, name: &str) -> Option<Arc<Declared>> {
        self.declared.lock().get(name).cloned()
    }

    /// All, by name.
    pub fn all(&self) -> Vec<SettingInfo> {
        let declared = self.declared.lock().clone();
        let declared = declared.iter();
        declared.map(|(name, setting)| setting.info(name)).collect()
    }

    /// The value of this setting; `None` if there is none of the name.
    pub fn get(&self, name: &str) -> Option<Json> {
        self.declared(name).map(|declared| Json((declared.show)()))
    }

    /// Sets a value. `None` if there is no such setting, or it is fixed.
    ///
    /// # Errors
    ///
    /// What is wrong with the value.
    pub fn set(&self, name: &str, Json(value): Json) -> Option<Result<(), String>> {
        let declared = self.declared(name)?;
        declared.set.as_ref().map(|set| set(value))
    }
}
