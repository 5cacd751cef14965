//! The template process that a program sets aside at its entry.

use std::env;

use pulsar_sys::inheritance::Namespaces;
use pulsar_sys::template::{self, Seat, Side, Template, TemplateError};
use pulsar_sys::{Inheritance, Pid, Survey, Surveyed};

/// The way in which processes are made, for those who run the program: `template` or `exec`.
const WAY_VARIABLE: &str = "PULSAR_SPAWN";

/// How process actors are made, where neither the environment nor a spawn says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Forked from a template process.
    Template,
    /// By executing the program's own file.
    Exec,
}

impl Way {
    /// What the environment says; else this. Nobody can be told of a mistake yet, so it is none.
    pub fn or_as_said(self) -> Self {
        match env::var_os(WAY_VARIABLE) {
            Some(way) if way == "template" => Self::Template,
            Some(way) if way == "exec" => Self::Exec,
            _ => self,
        }
    }
}

/// The template that was forked at the entry, for the arbiter that may come.
#[derive(Debug)]
pub enum SetAside {
    /// There is none, and why.
    None(&'static str),
    /// It is there, and perhaps still preparing.
    Template(Entered),
}

/// A template, and what it was made in.
#[derive(Debug)]
pub struct Entered {
    pub(crate) template: Template,
    pub(crate) inheritance: Inheritance,
    namespaces: Namespaces,
}

impl SetAside {
    /// Forks a template process.
    ///
    /// # Errors
    ///
    /// It is none: this is the template's side, and its seat.
    pub fn fork() -> Result<Self, Seat> {
        let surveyed = Survey::begin().and_then(|survey| survey.look());
        let (Ok(Surveyed { inheritance, .. }), namespaces) = (surveyed, Namespaces::current())
        else {
            let why = "what children inherit is not told by the system";
            return Ok(Self::None(why));
        };
        match template::fork() {
            Ok(Side::Parent(template)) => Ok(Self::Template(Entered {
                template,
                inheritance,
                namespaces,
            })),
            Ok(Side::Template(seat)) => Err(seat),
            Err(TemplateError::Threads(_)) => {
                Ok(Self::None("the program had threads at its entry"))
            }
            Err(_) => Ok(Self::None("the system does not give a template process")),
        }
    }
}

impl Entered {
    /// Whether this process is still the one that made it, in the same namespaces.
    pub(crate) fn is_as_made(&self) -> bool {
        self.template.parent == Pid::current() && self.namespaces == Namespaces::current()
    }
}
