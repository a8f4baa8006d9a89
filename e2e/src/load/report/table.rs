//! A report as Markdown.

use std::fmt;

use super::{Connecting, MedianSecond, Report, Traffic};
use crate::load::cast::Talk;
use crate::load::meter::Usage;
use crate::load::statistics::Quantiles;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}: {}\n", self.name, self.profile.description)?;
        self.head(f)?;
        writeln!(f, "\n| time in ms | count | p50 | p90 | p99 | p99.9 | max |")?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")?;
        quantiles(f, ("sign in", &self.connecting.sign_in))?;
        if let Some(Traffic { ack, delivery, talk, last_reader, lateness, .. }) = &self.traffic {
            quantiles(f, ("due → acknowledged", ack))?;
            quantiles(f, ("due → delivered", delivery))?;
            for (talk, times) in talk.iter().filter(|_| talk.len() > 1) {
                quantiles(f, (&format!("due → delivered, {}", name(*talk)), times))?;
            }
            quantiles(f, ("due → delivered to the last", last_reader))?;
            quantiles(f, ("generator late", lateness))?;
        }
        quantiles(f, ("lost connection → back", &self.come_back))?;
        writeln!(
            f,
            "\n| process | CPU s while connecting | CPU s while sending | % of a core | memory MiB |"
        )?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: |")?;
        self.processes(f)?;
        writeln!(f, "\n{}", self.closing())
    }
}

impl Report {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | how much |\n| --- | ---: |")?;
        let Connecting { per_second, server_kib_per_user, server_us_per_user, .. } = &self.connecting;
        row(f, ("users", self.profile.users.to_string()))?;
        row(f, ("signed in a second", format!("{per_second:.0}")))?;
        optional(f, ("server memory for each user", server_kib_per_user.map(|kib| format!("{kib:.1} KiB"))))?;
        optional(f, ("server CPU for each sign-in", server_us_per_user.map(|us| format!("{us:.0} µs"))))?;
        if let Some(traffic) = &self.traffic {
            row(f, ("messages a second", format!("{:.1}", traffic.sends_per_second)))?;
            row(f, ("deliveries a second", format!("{:.0}", traffic.deliveries_per_second)))?;
            let each = traffic.server_us_per_delivery.map(|us| format!("{us:.2} µs"));
            optional(f, ("server CPU for each delivery", each))?;
            let second = traffic
                .median_second
                .map(|MedianSecond { p50, p99 }| format!("p50 {p50:.2} ms, p99 {p99:.2} ms"));
            optional(f, ("deliveries of the median second", second))?;
        }
        let counts = &self.counts;
        for (what, count) in [
            ("entries that came after a reconnect", counts.replays),
            ("servers asked to move", counts.asked_to_move),
            ("connections the run broke", counts.cut_by_run),
        ] {
            optional(f, (what, (count > 0).then(|| count.to_string())))?;
        }
        for (reason, count) in counts.broken.iter().chain(&counts.refused) {
            row(f, (reason, count.to_string()))?;
        }
        Ok(())
    }

    fn processes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let idle = Usage::default();
        let sending = self.traffic.as_ref().map_or(&idle, |traffic| &traffic.usage);
        for (role, connecting) in &self.connecting.usage.roles {
            let sent = sending.roles.get(role).copied().unwrap_or_default();
            let kib = sent.resident_kib.max(connecting.resident_kib);
            writeln!(
                f,
                "| {role:?} | {:.2} | {:.2} | {:.0} | {:.0} |",
                connecting.cpu_s,
                sent.cpu_s,
                sent.cpu_percent,
                kib as f64 / 1_024.0
            )?;
        }
        let worst = |of: fn(&Usage) -> f64| of(&self.connecting.usage).max(of(sending));
        let (foreign, steal) = (worst(|usage| usage.foreign_percent), worst(|usage| usage.steal_percent));
        writeln!(f, "\nothers {foreign:.1} % of the machine, stolen {steal:.1} %")
    }

    fn closing(&self) -> String {
        let on = &self.surroundings;
        let mut text = format!(
            "{} × {}, {} MiB, Linux {}; VibeTalk {}; target {}{}\n\noracle: {} ({} messages in {} channels compared \
             with the store)",
            on.cores,
            on.processor,
            on.memory_mib,
            on.kernel,
            on.commit,
            self.target,
            on.versions.iter().map(|(name, version)| format!("; {name} {version}")).collect::<String>(),
            self.verdict,
            self.compared.messages,
            self.compared.channels
        );
        if !self.void.is_empty() {
            text += &format!("\n\nVOID, the numbers say nothing: {}", self.void.join("; "));
        }
        text
    }
}

fn name(talk: Talk) -> &'static str {
    match talk {
        Talk::Official => "to all",
        Talk::Group => "in groups",
        Talk::Direct => "between two",
    }
}

fn row(f: &mut fmt::Formatter<'_>, (what, value): (&str, String)) -> fmt::Result {
    writeln!(f, "| {what} | {value} |")
}

fn optional(f: &mut fmt::Formatter<'_>, (what, value): (&str, Option<String>)) -> fmt::Result {
    value.map_or(Ok(()), |value| row(f, (what, value)))
}

fn quantiles(f: &mut fmt::Formatter<'_>, (what, of): (&str, &Quantiles)) -> fmt::Result {
    if of.count == 0 {
        return Ok(());
    }
    let Quantiles { count, p50, p90, p99, p999, max } = of;
    writeln!(f, "| {what} | {count} | {p50:.2} | {p90:.2} | {p99:.2} | {p999:.2} | {max:.2} |")
}
