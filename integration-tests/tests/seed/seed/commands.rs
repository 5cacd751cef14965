//! Commands: "This action takes the form of a command name and optional parameters. It is possible to
//! add new commands via the command decorator."

use std::time::Duration;

use pulsar::prelude::*;
use pulsar::{SettingError, config};

use super::PLACEMENTS;

#[command]
async fn greet(cx: Context, name: String, times: u32) -> String {
    format!("{} greets {name} {times} times", cx.placement())
}

#[pulsar::test]
async fn new_ones_are_added_by_the_attribute() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let greeting = send(&actor, greet, ("luca".to_owned(), 2)).await?;
        assert_eq!(greeting, format!("{placement} greets luca 2 times"));
    }
    Ok(())
}

#[pulsar::test]
async fn one_that_nobody_has_is_an_error_and_not_nothing() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let unknown = pulsar::send_json(&actor, "gret", vec![]).await.unwrap_err();
        assert!(unknown.to_string().contains("greet"), "{unknown}");
    }
    Ok(())
}

async fn declare(cx: Context, first: u32) -> Result<()> {
    let rate = cx.setting("rate", first).doc("requests a second");
    let rate = rate.check(|rate| match rate {
        0 => Err("at least one request a second".to_owned()),
        _ => Ok(()),
    });
    let mut rate = rate.changeable()?;
    cx.setting("shard", "north").fixed()?;
    for taken in ["shard", "period_s"] {
        let name = taken.to_owned();
        let refused = cx.setting(taken, 1).changeable().err();
        assert_eq!(refused, Some(SettingError::Taken { name }));
    }
    cx.spawn(
        cx.clone()
            .stop_token()
            .run_until_cancelled_owned(async move {
                loop {
                    let now = rate.changed().await;
                    if let Some(cx) = get_actor() {
                        cx.set_extra("rate", now);
                    }
                }
            }),
    );
    Ok(())
}

#[pulsar::test]
async fn config_gets_and_sets_what_is_declared_changeable() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).start(declare, 10).await?;
        let name = || "rate".to_owned();
        assert_eq!(send(&actor, config_get, name()).await?, 10.into());
        let before = send(&actor, config_set, (name(), 20.into())).await?;
        assert_eq!(before, 10.into());
        assert_eq!(send(&actor, config_get, name()).await?, 20.into());
        // Its own code hears of it.
        while send(&actor, info, ()).await?.extra.get("rate") != Some(&20.into()) {}
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn config_refuses_what_is_fixed_unknown_or_no_value() -> Result<()> {
    let actor = spawn().start(declare, 10).await?;
    let set = async |name: &str, value: pulsar::Json| {
        let set = send(&actor, config_set, (name.to_owned(), value)).await;
        match set {
            Err(CallError::Command(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    for fixed in ["shard", "exit_timeout_s", "mailbox_capacity"] {
        let refused = set(fixed, 3.into()).await;
        assert_eq!(
            refused,
            SettingError::Fixed {
                name: fixed.to_owned()
            }
        );
    }
    let invalid = |error: SettingError| match error {
        SettingError::Invalid { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    assert!(invalid(set("rate", "many".into()).await).contains("u32"));
    assert!(invalid(set("rate", 0.into()).await).contains("at least one"));
    invalid(set("period_s", (-1).into()).await);
    let SettingError::Unknown { known, .. } = set("rat", 1.into()).await else {
        panic!("it has none of this name");
    };
    assert!(known.contains(&"rate".to_owned()), "{known:?}");
    assert_eq!(
        send(&actor, config_get, "rate".to_owned()).await?,
        10.into()
    );
    Ok(())
}

#[pulsar::test]
async fn config_lists_all_settings_with_what_they_are_for() -> Result<()> {
    let actor = spawn().mailbox_capacity(9).start(declare, 10).await?;
    let all = send(&actor, config, ()).await?;
    let one = |name: &str| all.iter().find(|it| it.name == name).cloned();
    let rate = one("rate").expect("declared");
    assert_eq!((rate.changeable, &*rate.doc), (true, "requests a second"));
    assert_eq!(one("shard").map(|it| it.changeable), Some(false));
    assert_eq!(one("mailbox_capacity").map(|it| it.value), Some(9.into()));
    Ok(())
}

#[pulsar::test]
async fn the_check_of_a_setting_may_declare_another() -> Result<()> {
    async fn declare_by_check(cx: Context, _: ()) -> Result<()> {
        let check = |_: &u32| match get_actor().map(|cx| cx.setting("inner", 1).fixed()) {
            Some(Ok(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        };
        cx.setting("outer", 1_u32).check(check).changeable()?;
        Ok(())
    }
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).start(declare_by_check, ());
        let actor = actor.await?;
        let set = send(&actor, config_set, ("outer".to_owned(), 2.into()));
        assert_eq!(set.timeout(Duration::from_secs(10)).await?, 1.into());
        let inner = send(&actor, config_get, "inner".to_owned()).await?;
        assert_eq!(inner, 1.into(), "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_check_that_panics_refuses_the_value_and_ends_nothing() -> Result<()> {
    async fn declare_brittle(cx: Context, _: ()) -> Result<()> {
        let brittle = cx.setting("brittle", 1_u32);
        brittle.check(|_| panic!("on purpose")).changeable()?;
        Ok(())
    }
    for placement in PLACEMENTS {
        let actor = spawn()
            .placement(placement)
            .start(declare_brittle, ())
            .await?;
        let set = send(&actor, config_set, ("brittle".to_owned(), 2.into())).await;
        let Err(CallError::Command(SettingError::Invalid { reason, .. })) = set else {
            panic!("{placement}: {set:?}");
        };
        assert_eq!(reason, "on purpose");
        let kept = send(&actor, config_get, "brittle".to_owned()).await?;
        assert_eq!(kept, 1.into(), "{placement}");
    }
    Ok(())
}
