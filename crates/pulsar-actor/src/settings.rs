//! Settings: values of an actor's that tools see, and may change where its code allows it.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::{Context, Json, SettingError, SettingInfo, panic_message};

/// Settings that an actor may declare: they are for people, who read them all.
const MAX_SETTINGS: usize = 256;

/// A setting of an actor's, as its own code reads it.
///
/// Others read it by the built-in command `config_get`, and set it by `config_set` if it was declared
/// [`changeable`](Declaration::changeable).
///
/// ```no_run
/// # use pulsar_core as pulsar;
/// use pulsar::{Context, Result, config_set, send, spawn};
///
/// async fn on_start(cx: Context, _args: ()) -> Result<()> {
///     let rate = cx.setting("rate", 10_u32).doc("requests a second").changeable()?;
///     cx.spawn(async move {
///         let mut rate = rate;
///         loop {
///             println!("now {} a second", rate.get());
///             rate.changed().await;
///         }
///     });
///     Ok(())
/// }
///
/// # async fn example() -> Result<()> {
/// let limiter = spawn().start(on_start, ()).await?;
/// send(&limiter, config_set, ("rate".to_owned(), 20.into())).await?;
/// # Ok(())
/// # }
/// ```
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

/// A setting that is being declared: see [`Context::setting`].
#[must_use = "nothing is declared until this is made `fixed` or `changeable`"]
pub struct Declaration<'a, T> {
    settings: &'a Settings,
    name: String,
    value: T,
    doc: String,
    check: fn(&T) -> Result<(), String>,
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

/// The settings of one actor.
#[derive(Default)]
pub(crate) struct Settings {
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
    pub(crate) fn begin<T>(&self, name: String, value: T) -> Declaration<'_, T> {
        Declaration {
            settings: self,
            name,
            value,
            doc: String::new(),
            check: |_| Ok(()),
        }
    }

    fn declare(&self, name: String, declared: Declared) -> Result<(), SettingError> {
        let mut all = self.declared.lock();
        if all.contains_key(&name) || own().any(|own| own.name == name) {
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

    /// All settings of the actor of `cx`: the runtime's own, then those declared, by name.
    pub(crate) fn all(&self, cx: &Context) -> Vec<SettingInfo> {
        let declared = self.declared.lock().clone();
        let declared = declared.iter().map(|(name, setting)| setting.info(name));
        own().map(|own| own.info(cx)).chain(declared).collect()
    }

    pub(crate) fn get(&self, cx: &Context, name: &str) -> Result<Json, SettingError> {
        if let Some(own) = own().find(|own| own.name == name) {
            return Ok(own.info(cx).value);
        }
        let declared = self.declared(name).map(|it| (it.show)());
        declared.map(Json).ok_or_else(|| self.unknown(cx, name))
    }

    /// Sets a value; the one before.
    pub(crate) fn set(
        &self,
        cx: &Context,
        name: &str,
        Json(value): Json,
    ) -> Result<Json, SettingError> {
        let before = self.get(cx, name)?;
        let set = match own().find(|own| own.name == name) {
            Some(own) => own.set.map(|set| set(cx, value)),
            None => {
                let declared = self.declared(name);
                let set = declared.as_ref().and_then(|it| it.set.as_ref());
                set.map(|set| set(value))
            }
        };
        let name = name.to_owned();
        match set {
            Some(Ok(())) => Ok(before),
            Some(Err(reason)) => Err(SettingError::Invalid { name, reason }),
            None => Err(SettingError::Fixed { name }),
        }
    }

    fn unknown(&self, cx: &Context, name: &str) -> SettingError {
        SettingError::Unknown {
            name: name.to_owned(),
            known: self.all(cx).into_iter().map(|known| known.name).collect(),
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
