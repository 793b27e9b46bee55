//! The files that make everything else in Azure: Bicep, the workflow, and what tools ask for.
//!
//! They are the same for every package: what differs stands in the table that they load.

use super::table::Table;

/// A file of the package that is the same in each: where it is, its text, and whether it is run.
pub(super) struct Fixed {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    pub(super) runs: bool,
}

macro_rules! fixed {
    ($($path:literal = $file:literal, $runs:literal;)+) => {
        &[$(Fixed { path: $path, text: include_str!(concat!("infra/", $file)), runs: $runs }),+]
    };
}

/// The files that are the same in each package.
pub(super) const FIXED: &[Fixed] = fixed! {
    "infra/main.bicep" = "main.bicep", false;
    "infra/main.parameters.json" = "main.parameters.json", false;
    "infra/bicepconfig.json" = "bicepconfig.json", false;
    "infra/train-job.bicep" = "train-job.bicep", false;
    "infra/modules/app.bicep" = "modules/app.bicep", false;
    "infra/modules/container-right.bicep" = "modules/container-right.bicep", false;
    "infra/modules/data.bicep" = "modules/data.bicep", false;
    "infra/modules/events.bicep" = "modules/events.bicep", false;
    "infra/modules/identity.bicep" = "modules/identity.bicep", false;
    "infra/modules/observe.bicep" = "modules/observe.bicep", false;
    "infra/modules/queue-right.bicep" = "modules/queue-right.bicep", false;
    "infra/modules/vault.bicep" = "modules/vault.bicep", false;
    "infra/modules/vault-right.bicep" = "modules/vault-right.bicep", false;
    "infra/modules/writer-role.bicep" = "modules/writer-role.bicep", false;
    "infra/workbook.json" = "workbook.json", false;
    "infra/validate.sh" = "validate.sh", true;
    "infra/verify.sh" = "verify.sh", true;
    ".github/workflows/deploy.yml" = "deploy.yml", false;
};

/// The image of the training job.
pub(super) const DOCKERFILE: &str = include_str!("infra/Dockerfile");

/// azure.yaml, for azd.
pub(super) fn azd(table: &Table) -> String {
    let mut text = format!(
        "# yaml-language-server: $schema=https://raw.githubusercontent.com/Azure/azure-dev/main/schemas/v1.0/azure.yaml.json\n\
         name: {}\ninfra:\n  provider: bicep\n  path: infra\n  module: main\nservices:\n",
        table.prefix
    );
    for app in &table.apps {
        text += &service(&app.name);
    }
    text
}

/// One app in azure.yaml. It is built already: `custom` leaves it as it is.
pub(super) fn service(app: &str) -> String {
    format!(
        "  {app}:\n    project: ./apps/{app}\n    language: custom\n    dist: .\n    host: function\n"
    )
}
