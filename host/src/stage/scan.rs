//! A look at a component before anything is compiled of it.
//!
//! One pass over the bytes, in time and memory that are linear in them, counts what a component is
//! made of. So one that is small as a file and huge as code, a zip bomb of its kind, is refused by
//! a limit that has a name. It checks nothing else: what is malformed is the compiler's to tell, and
//! what this look gets wrong is held by the limits of the compiler's own process.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Instance, Parser, Payload,
};

use super::limits::{Exceeded, Limits};

/// Bytes of a page of memory.
const PAGE: u64 = 1 << 16;

/// What one instantiation costs: a component that instantiates another twice costs twice of it.
#[derive(Clone, Copy, Default)]
struct Cost {
    instances: u64,
    memories: u64,
    tables: u64,
}

impl Cost {
    /// Never wraps: a chain of components that doubles forty times is just very much.
    const fn add(self, more: Self) -> Self {
        Self {
            instances: self.instances.saturating_add(more.instances),
            memories: self.memories.saturating_add(more.memories),
            tables: self.tables.saturating_add(more.tables),
        }
    }

    fn max(self, other: Self) -> Self {
        Self {
            instances: self.instances.max(other.instances),
            memories: self.memories.max(other.memories),
            tables: self.tables.max(other.tables),
        }
    }
}

/// A component or module that is being read, and what may be instantiated in it by index.
#[derive(Default)]
struct Frame {
    component: bool,
    cost: Cost,
    modules: Vec<Cost>,
    components: Vec<Cost>,
}

struct Scan<'a> {
    limits: &'a Limits,
    frames: Vec<Frame>,
    functions: u64,
    items: u64,
    /// The dearest that was seen: what is not seen where it comes from costs as much.
    dearest: Cost,
}

/// Refuses what is made of more than the limits allow. What can't be read is passed on.
pub(crate) fn scan(bytes: &[u8], limits: &Limits) -> Result<(), Exceeded> {
    let mut scan = Scan {
        limits,
        frames: Vec::new(),
        functions: 0,
        items: 0,
        dearest: Cost::default(),
    };
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(payload) => scan.payload(payload)?,
            // The compiler says what is wrong with it, in its own words.
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

impl Scan<'_> {
    fn payload(&mut self, payload: Payload<'_>) -> Result<(), Exceeded> {
        match payload {
            Payload::Version { encoding, .. } => {
                let component = encoding == wasmparser::Encoding::Component;
                // A module costs itself; a component costs what it instantiates.
                let instances = u64::from(!component);
                self.frames.push(Frame {
                    component,
                    cost: Cost {
                        instances,
                        ..Cost::default()
                    },
                    ..Frame::default()
                });
                let depth = self.frames.len() as u64;
                check("component_nesting", self.limits.component_nesting, depth)?;
            }
            Payload::End(_) => self.end()?,
            Payload::FunctionSection(section) => {
                self.functions += u64::from(section.count());
                check("functions", self.limits.functions, self.functions)?;
            }
            Payload::CodeSectionEntry(body) => {
                let size = body.range().len() as u64;
                check("function_bytes", self.limits.function_bytes, size)?;
            }
            Payload::MemorySection(section) => {
                self.cost(|cost| cost.memories += u64::from(section.count()));
                self.items(section.count())?;
                for memory in section.into_iter().flatten() {
                    self.memory(memory.initial.saturating_mul(PAGE))?;
                }
            }
            Payload::TableSection(section) => {
                self.cost(|cost| cost.tables += u64::from(section.count()));
                self.items(section.count())?;
                for table in section.into_iter().flatten() {
                    let elements = table.ty.initial;
                    check("table_elements", self.limits.table_elements, elements)?;
                }
            }
            Payload::InstanceSection(section) => {
                self.items(section.count())?;
                for instance in section.into_iter().flatten() {
                    if let Instance::Instantiate { module_index, .. } = instance {
                        self.instantiate(|frame| &frame.modules, module_index)?;
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                self.items(section.count())?;
                for instance in section.into_iter().flatten() {
                    if let ComponentInstance::Instantiate {
                        component_index, ..
                    } = instance
                    {
                        self.instantiate(|frame| &frame.components, component_index)?;
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                self.items(section.count())?;
                for alias in section.into_iter().flatten() {
                    self.alias(&alias);
                }
            }
            Payload::ComponentImportSection(section) => {
                self.items(section.count())?;
                for import in section.into_iter().flatten() {
                    self.import(import.ty);
                }
            }
            Payload::ComponentExportSection(section) => {
                self.items(section.count())?;
                for export in section.into_iter().flatten() {
                    // What is exported is in the index space a second time.
                    let from = self.frames.last();
                    match export.kind {
                        ComponentExternalKind::Module => {
                            let cost = from.and_then(|frame| at(&frame.modules, export.index));
                            self.module(cost);
                        }
                        ComponentExternalKind::Component => {
                            let cost = from.and_then(|frame| at(&frame.components, export.index));
                            self.component(cost);
                        }
                        _ => {}
                    }
                }
            }
            Payload::TypeSection(section) => self.items(section.count())?,
            Payload::CoreTypeSection(section) => self.items(section.count())?,
            Payload::ComponentTypeSection(section) => self.items(section.count())?,
            Payload::ComponentCanonicalSection(section) => self.items(section.count())?,
            Payload::ImportSection(section) => self.items(section.count())?,
            Payload::ExportSection(section) => self.items(section.count())?,
            Payload::GlobalSection(section) => self.items(section.count())?,
            Payload::ElementSection(section) => self.items(section.count())?,
            Payload::DataSection(section) => self.items(section.count())?,
            _ => {}
        }
        Ok(())
    }

    /// The end of a module or component: who holds it may instantiate it from now on.
    fn end(&mut self) -> Result<(), Exceeded> {
        let Some(done) = self.frames.pop() else {
            return Ok(());
        };
        self.dearest = self.dearest.max(done.cost);
        if !self.frames.is_empty() {
            if done.component {
                self.component(Some(done.cost));
            } else {
                self.module(Some(done.cost));
            }
            return Ok(());
        }
        let Cost {
            instances,
            memories,
            tables,
        } = done.cost;
        check("instances", self.limits.instances, instances)?;
        check("memories", self.limits.memories, memories)?;
        check("tables", self.limits.tables, tables)
    }

    /// A memory that is larger from the start than any foreign component may have: the pool has no
    /// place of that size. What its role allows is checked when it is instantiated.
    const fn memory(&self, bytes: u64) -> Result<(), Exceeded> {
        let Limits {
            guarded_memory_bytes: stage,
            transform_memory_bytes: transform,
            ..
        } = *self.limits;
        if stage >= transform {
            check("guarded_memory_bytes", stage, bytes)
        } else {
            check("transform_memory_bytes", transform, bytes)
        }
    }

    fn items(&mut self, more: u32) -> Result<(), Exceeded> {
        self.items += u64::from(more);
        check("component_items", self.limits.component_items, self.items)
    }

    fn cost(&mut self, change: impl FnOnce(&mut Cost)) {
        if let Some(frame) = self.frames.last_mut() {
            change(&mut frame.cost);
        }
    }

    fn instantiate(
        &mut self,
        space: impl Fn(&Frame) -> &Vec<Cost>,
        index: u32,
    ) -> Result<(), Exceeded> {
        let known = self.frames.last().and_then(|frame| at(space(frame), index));
        let more = known.unwrap_or(self.dearest);
        self.cost(|cost| *cost = cost.add(more));
        // At once and not at the end: what comes after need not be read any more.
        let instances = self.frames.last().map_or(0, |frame| frame.cost.instances);
        check("instances", self.limits.instances, instances)
    }

    fn module(&mut self, cost: Option<Cost>) {
        let cost = cost.unwrap_or(self.dearest);
        if let Some(frame) = self.frames.last_mut() {
            frame.modules.push(cost);
        }
    }

    fn component(&mut self, cost: Option<Cost>) {
        let cost = cost.unwrap_or(self.dearest);
        if let Some(frame) = self.frames.last_mut() {
            frame.components.push(cost);
        }
    }

    fn import(&mut self, ty: ComponentTypeRef) {
        match ty {
            ComponentTypeRef::Module(_) => self.module(None),
            ComponentTypeRef::Component(_) => self.component(None),
            _ => {}
        }
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        match alias {
            ComponentAlias::InstanceExport { kind, .. } => match kind {
                ComponentExternalKind::Module => self.module(None),
                ComponentExternalKind::Component => self.component(None),
                _ => {}
            },
            ComponentAlias::Outer { kind, count, index } => {
                let from = (self.frames.len() as u64)
                    .checked_sub(u64::from(*count) + 1)
                    .and_then(|place| self.frames.get(usize::try_from(place).ok()?));
                match kind {
                    ComponentOuterAliasKind::CoreModule => {
                        let cost = from.and_then(|frame| at(&frame.modules, *index));
                        self.module(cost);
                    }
                    ComponentOuterAliasKind::Component => {
                        let cost = from.and_then(|frame| at(&frame.components, *index));
                        self.component(cost);
                    }
                    _ => {}
                }
            }
            ComponentAlias::CoreInstanceExport { .. } => {}
        }
    }
}

fn at(costs: &[Cost], index: u32) -> Option<Cost> {
    costs.get(usize::try_from(index).ok()?).copied()
}

const fn check(limit: &'static str, value: u64, asked: u64) -> Result<(), Exceeded> {
    Exceeded::check(limit, value, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, limits: &Limits) -> String {
        let bytes = wat::parse_str(text).unwrap();
        scan(&bytes, limits).unwrap_err().to_string()
    }

    #[test]
    fn what_doubles_forty_times_is_refused_before_it_is_made() {
        let mut text =
            "(component $c0 (core module $m (memory 1)) (core instance (instantiate $m)))"
                .to_owned();
        text.extend((1..=40).map(|level| {
            let below = level - 1;
            format!(
                "(component $c{level} (alias outer 1 $c{below} (component $d))
                   (instance (instantiate $d)) (instance (instantiate $d)))"
            )
        }));
        let text = format!("(component {text} (instance (instantiate $c40)))");
        let told = refused(&text, &Limits::default());
        assert_eq!(told, "limit instances allows 100; 128 was asked for");
    }

    #[test]
    fn each_count_has_its_limit() {
        let few = |text: &str, change: fn(&mut Limits)| {
            let mut limits = Limits::default();
            scan(&wat::parse_str(text).unwrap(), &limits).unwrap();
            change(&mut limits);
            refused(text, &limits)
        };
        let told = few("(component (core module (func) (func)))", |l| {
            l.functions = 1;
        });
        assert_eq!(told, "limit functions allows 1; 2 was asked for");
        let told = few("(component (core module (func nop nop nop)))", |l| {
            l.function_bytes = 3;
        });
        assert_eq!(told, "limit function_bytes allows 3; 5 was asked for");
        let told = few("(component (component (component)))", |l| {
            l.component_nesting = 2;
        });
        assert_eq!(told, "limit component_nesting allows 2; 3 was asked for");
        let told = few("(component (type string) (type u8))", |l| {
            l.component_items = 1;
        });
        assert_eq!(told, "limit component_items allows 1; 2 was asked for");
        let module = "(component (core module $m (memory 1) (table 1 funcref) (table 1 funcref))
            (core instance (instantiate $m)) (core instance (instantiate $m)))";
        let told = few(module, |l| l.memories = 1);
        assert_eq!(told, "limit memories allows 1; 2 was asked for");
        let told = few(module, |l| l.tables = 3);
        assert_eq!(told, "limit tables allows 3; 4 was asked for");
        let told = few("(component (core module (table 10 funcref)))", |l| {
            l.table_elements = 9;
        });
        assert_eq!(told, "limit table_elements allows 9; 10 was asked for");
        let told = few("(component (core module (memory 8193)))", |l| {
            l.guarded_memory_bytes = 1;
        });
        assert_eq!(
            told,
            "limit transform_memory_bytes allows 536870912; 536936448 was asked for"
        );
    }

    #[test]
    fn what_can_not_be_read_is_the_compilers_to_tell() {
        for bytes in [b"".as_slice(), b"PK", b"\0asm\x0d\0\x01\0rubbish"] {
            scan(bytes, &Limits::default()).unwrap();
        }
    }
}
