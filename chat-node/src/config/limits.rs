//! The bounds that the platform chooses.

use crds::ClientLimits;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ConfigError;
use crate::limits::Limits;

/// What the settings say, unless a flag (`name=number`) says else; the defaults for the rest.
pub(super) fn chosen(settings: &ClientLimits, flags: &[String]) -> Result<Limits, ConfigError> {
    let flags = flags.iter().map(|flag| parse(flag)).collect::<Result<Map<_, _>, _>>()?;
    // So that a name that is none is refused.
    let flags = ClientLimits::deserialize(Value::Object(flags)).map_err(wrong)?;
    for (name, limit) in settings.named().chain(flags.named()) {
        if !ClientLimits::BOUNDS.contains(&limit) {
            let (from, to) = (ClientLimits::BOUNDS.start(), ClientLimits::BOUNDS.end());
            return Err(wrong(format!("`{name}` is {limit}; it must be {from} to {to}")));
        }
    }
    Ok(apply(&flags, apply(settings, Limits::default())))
}

fn parse(flag: &str) -> Result<(String, Value), ConfigError> {
    let parts =
        flag.split_once('=').and_then(|(name, number)| Some((name, number.trim().parse::<u32>().ok()?)));
    let (name, number) = parts.ok_or_else(|| wrong(format!("`{flag}` is not NAME=NUMBER")))?;
    Ok((name.trim().to_owned(), number.into()))
}

fn apply(chosen: &ClientLimits, limits: Limits) -> Limits {
    let count = |chosen: Option<u32>, default| chosen.map_or(default, |chosen| chosen as usize);
    Limits {
        connections_per_node: count(chosen.connections_per_node, limits.connections_per_node),
        connections_per_user: count(chosen.connections_per_user, limits.connections_per_user),
        connections_per_address: count(chosen.connections_per_address, limits.connections_per_address),
        commands_per_minute: chosen.commands_per_minute.unwrap_or(limits.commands_per_minute),
        requests_per_minute_user: chosen.user_requests_per_minute.unwrap_or(limits.requests_per_minute_user),
        requests_per_minute_address: chosen
            .address_requests_per_minute
            .unwrap_or(limits.requests_per_minute_address),
        ..limits
    }
}

fn wrong(reason: impl ToString) -> ConfigError {
    ConfigError::Limits(reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(flags: &[&str]) -> Result<Limits, String> {
        let settings = ClientLimits { commands_per_minute: Some(7), ..ClientLimits::default() };
        let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        chosen(&settings, &flags).map_err(|error| error.to_string())
    }

    #[test]
    fn a_flag_goes_before_the_settings_and_these_before_the_default() {
        let limits = flags(&["connectionsPerAddress=9", "addressRequestsPerMinute = 60000"]).unwrap();
        assert_eq!((limits.connections_per_address, limits.requests_per_minute_address), (9, 60_000));
        assert_eq!((limits.commands_per_minute, limits.connections_per_user), (7, 20));
        assert_eq!(flags(&["commandsPerMinute=8"]).unwrap().commands_per_minute, 8);
    }

    #[test]
    fn a_limit_that_is_none_is_named() {
        for (flag, says) in [
            ("connectionsPerMoon=1", "connectionsPerMoon"),
            ("connectionsPerUser", "`connectionsPerUser` is not NAME=NUMBER"),
            ("connectionsPerUser=many", "NAME=NUMBER"),
            ("connectionsPerUser=0", "`connectionsPerUser` is 0; it must be 1 to 1000000"),
        ] {
            let error = flags(&[flag]).unwrap_err();
            assert!(error.contains(says) && error.contains("--limits"), "{error}");
        }
    }
}
