//! What can be done to every property of a schema, from the schema alone.

use std::fmt;

use serde_json::{Map, Value};

use super::values::{boundary, invalid, sample, valid};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Valid,
    Boundary,
    Invalid,
    Removed,
}

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The property or the entry of this name.
    Field(String),
    /// The first element.
    First,
}

/// The way to a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug)]
pub struct Mutation {
    pub path: Path,
    pub sort: Sort,
    /// Nothing if the property is removed.
    pub value: Option<Value>,
}

/// Name of an entry in a map.
const ENTRY: &str = "team";

/// Everything that can be done to what is below `schema`, property by property.
pub fn all(schema: &Value) -> Vec<Vec<Mutation>> {
    let mut found = Vec::new();
    walk(schema, &Path(Vec::new()), &mut found);
    found
}

fn walk(schema: &Value, path: &Path, found: &mut Vec<Vec<Mutation>>) {
    let fields = schema["properties"].as_object();
    for (name, below) in fields.into_iter().flatten() {
        let path = path.to(Step::Field(name.clone()));
        let mut mutations = of(below, &path);
        mutations.push(Mutation { path: path.clone(), sort: Sort::Removed, value: None });
        found.push(mutations);
        walk(below, &path, found);
    }
    for step in [Step::First, Step::Field(ENTRY.to_owned())] {
        let below = match step {
            Step::First => &schema["items"],
            Step::Field(_) => &schema["additionalProperties"],
        };
        if below.is_object() {
            let path = path.to(step);
            found.push(of(below, &path));
            walk(below, &path, found);
        }
    }
}

fn of(schema: &Value, path: &Path) -> Vec<Mutation> {
    let sorts =
        [(Sort::Valid, valid(schema)), (Sort::Boundary, boundary(schema)), (Sort::Invalid, invalid(schema))];
    let all = sorts.into_iter().flat_map(|(sort, values)| values.into_iter().map(move |value| (sort, value)));
    all.map(|(sort, value)| Mutation { path: path.clone(), sort, value: Some(value) }).collect()
}

impl Mutation {
    /// The spec with the change; what is missing on the way is made as small as the schema allows.
    pub fn apply(&self, schema: &Value, spec: &Value) -> Value {
        let mut changed = spec.clone();
        change(&mut changed, schema, &self.path.0, self.value.as_ref());
        changed
    }
}

impl Path {
    fn to(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// How many steps of the way there are in `spec`.
    pub fn depth_in(&self, spec: &Value) -> usize {
        let mut here = Some(spec);
        self.0
            .iter()
            .take_while(|step| {
                here = here.and_then(|value| match step {
                    Step::Field(name) => value.get(name),
                    Step::First => value.get(0),
                });
                here.is_some()
            })
            .count()
    }
}

fn change(here: &mut Value, schema: &Value, path: &[Step], value: Option<&Value>) {
    let Some((step, rest)) = path.split_first() else {
        *here = value.cloned().unwrap_or_default();
        return;
    };
    match step {
        Step::First => {
            let below = &schema["items"];
            if here.get(0).is_none() {
                *here = Value::Array(vec![sample(below, 0)]);
            }
            change(&mut here[0], below, rest, value);
        }
        Step::Field(name) => {
            let property = &schema["properties"][name];
            let below = if property.is_null() { &schema["additionalProperties"] } else { property };
            if !here.is_object() {
                *here = Value::Object(Map::new());
            }
            let fields = here.as_object_mut().unwrap();
            if rest.is_empty() && value.is_none() {
                fields.remove(name);
                return;
            }
            change(fields.entry(name.clone()).or_insert_with(|| sample(below, 0)), below, rest, value);
        }
    }
}

impl fmt::Display for Path {
    /// As the API server names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("spec")?;
        self.0.iter().try_for_each(|step| match step {
            Step::Field(name) => write!(f, ".{name}"),
            Step::First => f.write_str("[0]"),
        })
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, sort, value } = self;
        let value = value.as_ref().map(Value::to_string).unwrap_or_default();
        write!(f, "{path} {sort:?} {}", value.chars().take(60).collect::<String>())
    }
}
