//! `tidegate schema`: what `--json` prints, as a JSON Schema; the same text is committed as `schema/tidegate.json`.
//! The shapes are types and the schema is made from them, so neither can say something else than the other.

use schemars::{JsonSchema, generate::SchemaSettings};

use super::{access, bundle, config, devices, doctor, env, events, paths, report};
use crate::failure::{Exit, Failure};
use crate::out::data;

/// Which verb prints what: a property for each verb, `error` for what goes to standard error.
#[derive(JsonSchema)]
#[allow(dead_code)] // only its shape is wanted
struct Tidegate {
    /// `tidegate status --json`
    status: report::Status,
    /// `tidegate status --follow --json`: each line
    event: events::Line,
    /// `tidegate ls --json`
    ls: report::Services,
    /// `tidegate connect SERVICE --json`, `tidegate dsn SERVICE --json`
    service: report::Service,
    /// `tidegate join|leave|login|logout|disconnect --json`
    done: report::Done,
    /// `tidegate env SERVICE --json`
    env: env::Variables,
    /// `tidegate devices --json`
    devices: devices::Answer,
    /// `tidegate request|requests|approve|deny|withdraw|grants|grant --json`
    access: access::Answer,
    /// `tidegate doctor --json`, and those of `outlet` and `relay`
    doctor: doctor::Answer,
    /// `tidegate config --json`
    config: config::Settings,
    /// `tidegate bundle --json`
    bundle: bundle::Saved,
    /// `tidegate paths --json`
    paths: paths::Answer,
    /// `tidegate lost-laptop --json`
    #[cfg(unix)]
    lost_laptop: crate::lost_laptop::Laptops,
    /// Any verb with `--json` that fails: on standard error
    error: crate::failure::Said,
}

#[derive(clap::Args)]
pub(crate) struct Schema;

impl Schema {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        data(&text().map_err(|error| {
            let next = "report this to the makers of Tidegate";
            Failure::new(
                Exit::Internal,
                "there is no schema",
                error.to_string(),
                next,
            )
        })?);
        Ok(())
    }
}

fn text() -> serde_json::Result<String> {
    let schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Tidegate>();
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_committed_schema_is_what_the_program_prints() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/tidegate.json");
        let text = text().unwrap();
        if std::env::var_os("TIDEGATE_UPDATE_SCHEMA").is_some() {
            std::fs::write(path, &text).unwrap();
        }

        let committed = std::fs::read_to_string(path).unwrap_or_default();

        assert!(
            committed == text,
            "the shapes have changed: run this test with TIDEGATE_UPDATE_SCHEMA=1 and look at the difference"
        );
    }
}
