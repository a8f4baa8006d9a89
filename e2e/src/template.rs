//! Small configuration files with places to fill in.

use anyhow::{Result, bail};

/// Replaces every `@NAME@` by its value. Fails on a place that no value is given for, and on an `@` that stands alone.
pub fn fill(template: &str, values: &[(&str, &str)]) -> Result<String> {
    if template.matches('@').count() % 2 == 1 {
        bail!("the template has an @ that begins no place");
    }
    let mut parts = template.split('@');
    let mut text = parts.next().unwrap_or_default().to_owned();
    while let (Some(name), Some(after)) = (parts.next(), parts.next()) {
        let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
            bail!("the template has a place @{name}@ and no value for it");
        };
        text.push_str(value);
        text.push_str(after);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_gets_its_value() {
        assert_eq!(fill("a: @A@\nb: @B@-@A@\n", &[("A", "1"), ("B", "2")]).unwrap(), "a: 1\nb: 2-1\n");
    }

    #[test]
    fn a_single_sign_is_refused_and_cuts_nothing_off() {
        assert!(fill("user@host\nb: @B@\n", &[("B", "2")]).is_err());
    }

    #[test]
    fn a_place_without_a_value_is_named() {
        assert!(fill("x @GONE@ y", &[]).unwrap_err().to_string().contains("@GONE@"));
    }
}
