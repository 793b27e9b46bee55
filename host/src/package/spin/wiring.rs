//! Instances of components, and what each is given.
//!
//! `wac plug` makes an instance of its own for each plug and socket. Here a component that several are
//! given is one instance, since what it remembers is what they share.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use wac_graph::{
    CompositionGraph, EncodeOptions, NodeId, PackageId,
    types::{ItemKind, Package, are_semver_compatible},
};

/// Instances that are given each other's exports.
#[derive(Default)]
pub(super) struct Wiring {
    graph: CompositionGraph,
    /// Imports that are given already, by instance.
    given: BTreeSet<(usize, String)>,
    placed: usize,
}

/// A component that instances are made of.
#[derive(Clone, Copy)]
pub(super) struct Kind(PackageId);

/// One instance.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    number: usize,
    kind: Kind,
    node: NodeId,
}

impl Placed {
    /// What it is an instance of.
    pub(super) const fn kind(self) -> Kind {
        self.kind
    }
}

impl Wiring {
    /// Whether instances of it import the interface, in whichever version that fits.
    pub(super) fn imports(&self, kind: Kind, interface: &str) -> bool {
        let imports = &self.graph.types()[self.graph[kind.0].ty()].imports;
        let mut names = imports.keys();
        names.any(|name| name == interface || are_semver_compatible(name, interface))
    }

    /// A component by a name of its own. However many instances are made of it, its bytes are in the
    /// composed one once.
    pub(super) fn kind(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<Kind> {
        let failed = || format!("{name} can't be composed");
        let types = self.graph.types_mut();
        let package = Package::from_bytes(&format!("septet:{name}"), None, bytes.to_vec(), types);
        let package = package.with_context(failed)?;
        let package = self.graph.register_package(package);
        Ok(Kind(package.with_context(failed)?))
    }

    /// Makes an instance.
    pub(super) fn place(&mut self, kind: Kind) -> Placed {
        self.placed += 1;
        Placed {
            number: self.placed,
            kind,
            node: self.graph.instantiate(kind.0),
        }
    }

    /// Gives `to` the export of `from` for the import of this name.
    pub(super) fn give(
        &mut self,
        to: Placed,
        import: &str,
        (from, export): (Placed, &str),
    ) -> anyhow::Result<()> {
        let failed = || format!("{import} can't be given from {export}");
        let export = self.graph.alias_instance_export(from.node, export);
        let export = export.with_context(failed)?;
        let given = self
            .graph
            .set_instantiation_argument(to.node, import, export);
        given.with_context(failed)?;
        self.given.insert((to.number, import.to_owned()));
        Ok(())
    }

    /// Gives `to` whatever it imports, was not given yet and `from` exports, in whichever version that
    /// fits.
    pub(super) fn give_all(&mut self, to: Placed, from: Placed) -> anyhow::Result<()> {
        let types = self.graph.types();
        let exports = &types[self.graph[from.kind.0].ty()].exports;
        let imports = types[self.graph[to.kind.0].ty()].imports.keys();
        let open = imports.filter(|name| !self.given.contains(&(to.number, (*name).clone())));
        let pairs: Vec<(String, String)> = open
            .filter_map(|import| {
                let fits =
                    |export: &&String| *export == import || are_semver_compatible(export, import);
                let export = exports.keys().find(fits)?;
                Some((import.clone(), export.clone()))
            })
            .collect();
        for (import, export) in pairs {
            self.give(to, &import, (from, &export))?;
        }
        Ok(())
    }

    /// The component of all instances, which exports what `front` does. What nobody was given it
    /// imports; none of that may be an interface of ours, because no host has those.
    pub(super) fn component(mut self, front: Placed) -> anyhow::Result<Vec<u8>> {
        for (name, kind, _) in self.graph.imports() {
            let functions = match kind {
                ItemKind::Instance(instance) => {
                    let exports = &self.graph.types()[instance].exports;
                    exports
                        .values()
                        .any(|item| matches!(item, ItemKind::Func(_)))
                }
                _ => true,
            };
            ensure!(
                !functions || !name.starts_with("septet:"),
                "nothing in the application gives {name}"
            );
        }
        let exports = &self.graph.types()[self.graph[front.kind.0].ty()].exports;
        for name in exports.keys().cloned().collect::<Vec<_>>() {
            let export = self.graph.alias_instance_export(front.node, &name)?;
            self.graph.export(export, &name)?;
        }
        let composed = self.graph.encode(EncodeOptions::default());
        composed.context("the application can't be composed")
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::{Component, Linker};

    use super::*;

    /// Counts its calls.
    const COUNTER: &str = r#"(component
        (core module $m
            (global $n (mut i32) (i32.const 0))
            (func (export "count") (result i32)
                (global.set $n (i32.add (global.get $n) (i32.const 1)))
                (global.get $n)))
        (core instance $i (instantiate $m))
        (func $count (result u32) (canon lift (core func $i "count")))
        (instance $counter (export "count" (func $count)))
        (export "test:parts/counter@0.1.0" (instance $counter)))"#;

    /// Hands on what it is given.
    const STAGE: &str = r#"(component
        (import "test:parts/counter@0.1.0" (instance $counter
            (export "count" (func (result u32)))))
        (alias export $counter "count" (func $count))
        (instance $stage (export "count" (func $count)))
        (export "test:parts/stage@0.1.0" (instance $stage)))"#;

    /// Hands on both.
    const GATEWAY: &str = r#"(component
        (import "test:parts/counter@0.1.0" (instance $counter
            (export "count" (func (result u32)))))
        (import "test:parts/stage@0.1.0" (instance $stage
            (export "count" (func (result u32)))))
        (alias export $counter "count" (func $own))
        (alias export $stage "count" (func $through))
        (instance $gateway (export "own" (func $own)) (export "through" (func $through)))
        (export "test:parts/gateway@0.1.0" (instance $gateway)))"#;

    fn kind(wiring: &mut Wiring, name: &str, text: &str) -> Kind {
        wiring.kind(name, &wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn an_instance_that_two_are_given_is_one() {
        let mut wiring = Wiring::default();
        let counter = kind(&mut wiring, "counter", COUNTER);
        let counter = wiring.place(counter);
        let stage = kind(&mut wiring, "stage", STAGE);
        assert!(wiring.imports(stage, "test:parts/counter@0.1.0"));
        let stage = wiring.place(stage);
        let gateway = kind(&mut wiring, "gateway", GATEWAY);
        let gateway = wiring.place(gateway);
        wiring.give_all(stage, counter).unwrap();
        wiring.give_all(gateway, counter).unwrap();
        wiring.give_all(gateway, stage).unwrap();
        let composed = wiring.component(gateway).unwrap();

        let engine = wasmtime::Engine::default();
        let component = Component::new(&engine, composed).unwrap();
        let mut store = wasmtime::Store::new(&engine, ());
        let instance = Linker::new(&engine)
            .instantiate(&mut store, &component)
            .unwrap();
        let exported = instance.get_export_index(&mut store, None, "test:parts/gateway@0.1.0");
        let mut call = |name: &str| {
            let index = instance.get_export_index(&mut store, exported.as_ref(), name);
            let count = instance
                .get_typed_func::<(), (u32,)>(&mut store, index.unwrap())
                .unwrap();
            count.call(&mut store, ()).unwrap().0
        };
        assert_eq!([call("own"), call("through"), call("own")], [1, 2, 3]);
    }

    #[test]
    fn an_interface_of_ours_that_nobody_gives_is_named() {
        let mut wiring = Wiring::default();
        let ours = STAGE.replace("test:parts", "septet:spin");
        let stage = kind(&mut wiring, "stage", &ours);
        let stage = wiring.place(stage);
        let error = wiring.component(stage).unwrap_err().to_string();
        assert_eq!(
            error,
            "nothing in the application gives septet:spin/counter@0.1.0"
        );
    }
}
