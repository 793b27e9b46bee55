//! Whether a component fits a stage: its imports and exports against grants and contract.
//!
//! It owns the words in which a misfit is told. wasmtime checks the types afterwards.

use serde::Serialize;
use wasmtime::{
    Engine,
    component::{Component, types::ComponentItem},
};

use super::{
    grants::{Capability, Grants},
    wasi,
};
use crate::contract::{Digest, Stage};

/// What a component is to be used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    /// The component of a stage.
    Stage(Stage),
    /// A user transform.
    Transform,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stage(stage) => write!(f, "stage {stage}"),
            Self::Transform => f.write_str("a user transform"),
        }
    }
}

/// A component's border.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Imports that need something of a host.
    pub(crate) imports: Vec<String>,
    /// Exported interfaces.
    pub(crate) exports: Vec<String>,
}

/// What `septet stages check` tells of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its address.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// Imports that need something of a host.
    pub imports: Vec<String>,
    /// Exported interfaces.
    pub exports: Vec<String>,
    /// Stages that it can run.
    pub fits: Vec<Stage>,
    /// Whether it can be used as a user transform.
    pub transform: bool,
    /// Why it can't be what was asked for, a line a problem; empty if it can.
    pub problems: Vec<String>,
}

impl Shape {
    pub(crate) fn of(engine: &Engine, component: &Component) -> Self {
        let ty = component.component_type();
        let imports = ty
            .imports(engine)
            .filter(|(_, item)| needs_host(engine, &item.ty))
            .map(|(name, _)| name.to_owned())
            .collect();
        let exports = ty
            .exports(engine)
            .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)))
            .map(|(name, _)| name.to_owned())
            .collect();
        Self { imports, exports }
    }

    /// All that the component imports, whether it needs something of a host or not.
    pub(crate) fn all_imports(engine: &Engine, component: &Component) -> Vec<String> {
        let ty = component.component_type();
        let imports = ty.imports(engine);
        imports.map(|(name, _)| name.to_owned()).collect()
    }

    /// Why the component can't be used as `role`, a line a problem.
    pub(crate) fn problems(&self, role: Role, grants: &Grants) -> Vec<String> {
        let mut problems = Vec::new();
        let needed: &[&str] = match role {
            Role::Stage(Stage::Infer) => &["septet:pipeline/stage", "septet:pipeline/predictor"],
            Role::Stage(_) => &["septet:pipeline/stage"],
            Role::Transform => &["septet:transform/transform"],
        };
        for interface in needed {
            problems.extend(self.lacks_export(interface));
        }
        for import in &self.imports {
            problems.extend(import_problem(import, role, grants));
        }
        problems
    }

    fn lacks_export(&self, interface: &str) -> Option<String> {
        let mut versions = self
            .exports
            .iter()
            .filter_map(|export| Name::parse(export))
            .filter(|name| name.interface == interface)
            .peekable();
        if versions.peek().is_none() {
            return Some(format!("it does not export {interface}@{CONTRACT}"));
        }
        let found: Vec<&str> = versions.map(|name| name.version).collect();
        if found.iter().any(|version| is_compatible(version)) {
            return None;
        }
        Some(format!(
            "it exports {interface} in version {}, and this host has {CONTRACT}",
            found.join(", ")
        ))
    }
}

/// Types need nothing of a host; functions and resources do.
fn needs_host(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::Type(_) => false,
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .any(|(_, item)| needs_host(engine, &item.ty)),
        _ => true,
    }
}

/// Whether a problem of a component is what it imports, and not what it is or gives.
pub(crate) fn is_import(problem: &str) -> bool {
    problem.starts_with(IMPORTS)
}

/// How those problems begin.
const IMPORTS: &str = "it imports ";

fn import_problem(import: &str, role: Role, grants: &Grants) -> Option<String> {
    let Some(name) = Name::parse(import) else {
        return Some(format!(
            "it imports {import}, which this host does not have"
        ));
    };
    if let Some(capability) = name.interface.strip_prefix("septet:capability/") {
        let Ok(capability) = capability.parse::<Capability>() else {
            return Some(format!(
                "it imports {import}, which this host does not have"
            ));
        };
        return capability_problem(import, &name, capability, role, grants);
    }
    let inert = wasi::INERT.contains(&name.interface) && name.version.starts_with("0.2.");
    (!inert).then(|| format!("it imports {import}, which no component is given"))
}

fn capability_problem(
    import: &str,
    name: &Name<'_>,
    capability: Capability,
    role: Role,
    grants: &Grants,
) -> Option<String> {
    match role {
        Role::Transform => Some(format!(
            "it imports {import}, and a user transform is given no capability"
        )),
        Role::Stage(stage) if !grants.allows(stage, capability) => {
            let granted: Vec<_> = grants.of(stage).iter().map(|c| c.name()).collect();
            Some(format!(
                "it imports {import}, which {stage} is not granted (it would need the grant \
                 '{capability}'; it has {})",
                granted.join(", ")
            ))
        }
        Role::Stage(_) if !is_compatible(name.version) => Some(format!(
            "it imports {import}, and this host has version {CONTRACT}"
        )),
        Role::Stage(_) => None,
    }
}

/// The version of all three packages.
const CONTRACT: &str = "0.1.0";

/// As wasmtime links: before 1.0, minor versions are different interfaces and patches are not.
fn is_compatible(version: &str) -> bool {
    version
        .strip_prefix("0.1.")
        .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit()))
}

struct Name<'a> {
    interface: &'a str,
    version: &'a str,
}

impl<'a> Name<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (interface, version) = text.split_once('@')?;
        Some(Self { interface, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(imports: &[&str], exports: &[&str]) -> Shape {
        let own = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Shape {
            imports: own(imports),
            exports: own(exports),
        }
    }

    fn problems(imports: &[&str], exports: &[&str], role: Role) -> Vec<String> {
        shape(imports, exports).problems(role, &Grants::default())
    }

    const STAGE: &str = "septet:pipeline/stage@0.1.0";

    #[test]
    fn an_ungranted_import_is_named_with_its_grant() {
        let train = Role::Stage(Stage::Train);
        let found = problems(&["septet:capability/models@0.1.0"], &[STAGE], train);
        assert_eq!(
            found,
            [
                "it imports septet:capability/models@0.1.0, which train is not granted (it would \
              need the grant 'models'; it has blob-read, blob-write, queue, log)"
            ]
        );
        let log = ["septet:capability/log@0.1.3", "wasi:io/poll@0.2.9"];
        assert!(problems(&log, &[STAGE], train).is_empty());
    }

    #[test]
    fn versions_and_strangers_are_named() {
        let train = Role::Stage(Stage::Train);
        let of = |import: &str| problems(&[import], &[STAGE], train).join("\n");
        assert!(of("septet:capability/log@0.2.0").contains("this host has version 0.1.0"));
        assert!(of("septet:capability/sesame@0.1.0").contains("does not have"));
        assert!(of("wasi:http/types@0.2.6").contains("no component is given"));
        assert!(of("wasi:io/poll@0.3.0").contains("no component is given"));
        assert!(of("plain").contains("does not have"));
    }

    #[test]
    fn exports_are_needed_in_this_version() {
        let infer = Role::Stage(Stage::Infer);
        assert_eq!(
            problems(&[], &[STAGE], infer),
            ["it does not export septet:pipeline/predictor@0.1.0"]
        );
        let newer = ["septet:pipeline/stage@0.2.0"];
        assert_eq!(
            problems(&[], &newer, Role::Stage(Stage::Train)),
            ["it exports septet:pipeline/stage in version 0.2.0, and this host has 0.1.0"]
        );
        let patch = ["septet:pipeline/stage@0.1.7"];
        assert!(problems(&[], &patch, Role::Stage(Stage::Train)).is_empty());
    }

    #[test]
    fn a_transform_is_given_no_capability() {
        let exports = ["septet:transform/transform@0.1.0"];
        let found = problems(&["septet:capability/log@0.1.0"], &exports, Role::Transform);
        assert!(found[0].contains("given no capability"));
        assert!(problems(&["wasi:cli/exit@0.2.6"], &exports, Role::Transform).is_empty());
    }
}
