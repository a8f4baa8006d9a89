//! Values that a schema allows, only just allows, and does not allow.

use proptest::strategy::{Strategy, ValueTree};
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// Where a schema sets no bound.
const PLAIN_NUMBER: i64 = 7;
/// Texts that are made from a pattern, for the shortest and the longest of them.
const TEXTS: usize = 64;
/// Longest text, list or map that is tried.
const LONG: usize = 5_000;

/// A small value that the schema allows; others for other numbers, where there are others.
pub fn sample(schema: &Value, number: usize) -> Value {
    if let Some(values) = schema["enum"].as_array() {
        return values[number % values.len()].clone();
    }
    match schema["type"].as_str() {
        Some("object") => object(schema, number),
        Some("array") => {
            (0..size(schema, "minItems", 0)).map(|number| sample(&schema["items"], number)).collect()
        }
        Some("string") => texts(schema).swap_remove(number % TEXTS).into(),
        Some("integer") => bound(schema, "minimum").unwrap_or(PLAIN_NUMBER).into(),
        Some("boolean") => number.is_multiple_of(2).into(),
        // A number or a text.
        _ => format!("{}", number + 1).into(),
    }
}

/// Some that it allows.
pub fn valid(schema: &Value) -> Vec<Value> {
    if let Some(values) = schema["enum"].as_array() {
        return values.clone();
    }
    match schema["type"].as_str() {
        Some("boolean") => vec![true.into(), false.into()],
        Some("integer") => {
            let (least, most) = (bound(schema, "minimum"), bound(schema, "maximum"));
            vec![least.zip(most).map_or(PLAIN_NUMBER, |(least, most)| least + (most - least) / 3).into()]
        }
        Some("string") => vec![sample(schema, 1), sample(schema, 2)],
        Some("array") => vec![list(schema, size(schema, "minItems", 0).max(2))],
        Some("object") if is_map(schema) => vec![map(schema, 1)],
        Some("object") => vec![sample(schema, 1)],
        _ => vec![3.into(), "250m".into()],
    }
}

/// Those at its bounds.
pub fn boundary(schema: &Value) -> Vec<Value> {
    match schema["type"].as_str() {
        Some("integer") => {
            ["minimum", "maximum"].iter().filter_map(|name| Some(bound(schema, name)?.into())).collect()
        }
        Some("string") if schema["enum"].is_null() => {
            let mut texts = texts(schema);
            texts.sort_by_key(String::len);
            vec![texts.swap_remove(0).into(), texts.pop().into()]
        }
        Some("array") => {
            vec![list(schema, size(schema, "minItems", 0)), list(schema, size(schema, "maxItems", 3))]
        }
        Some("object") if is_map(schema) => vec![json!({}), map(schema, size(schema, "maxProperties", 3))],
        _ => Vec::new(),
    }
}

/// Some that it does not allow.
pub fn invalid(schema: &Value) -> Vec<Value> {
    if schema["enum"].is_array() {
        return vec!["NoSuchValue".into(), 1.into()];
    }
    match schema["type"].as_str() {
        Some("boolean") => vec!["yes".into()],
        Some("integer") => {
            let beyond = [("minimum", -1), ("maximum", 1)];
            let beyond = beyond.iter().filter_map(|(name, more)| Some((bound(schema, name)? + more).into()));
            beyond.chain(["text".into()]).collect()
        }
        Some("string") => {
            let too_long = "x".repeat(size(schema, "maxLength", LONG) + 1);
            let too_short = (size(schema, "minLength", 0) > 0).then(String::new);
            let odd = schema["pattern"].is_string().then(|| "§ §".to_owned());
            let texts = [Some(too_long), too_short, odd].into_iter().flatten().map(Value::from);
            texts.chain([1.into()]).collect()
        }
        Some("array") => {
            let too_few = size(schema, "minItems", 0).checked_sub(1).map(|count| list(schema, count));
            let too_many = list(schema, size(schema, "maxItems", LONG) + 1);
            too_few.into_iter().chain([too_many, "text".into()]).collect()
        }
        Some("object") if is_map(schema) => {
            vec![map(schema, size(schema, "maxProperties", LONG) + 1), "text".into()]
        }
        Some("object") => vec!["text".into()],
        _ => vec![true.into()],
    }
}

fn object(schema: &Value, number: usize) -> Value {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = required.iter().map(|name| {
        let name = name.as_str().unwrap();
        (name.to_owned(), sample(&schema["properties"][name], number))
    });
    Value::Object(fields.collect())
}

fn list(schema: &Value, count: usize) -> Value {
    (0..count).map(|number| sample(&schema["items"], number)).collect()
}

fn map(schema: &Value, count: usize) -> Value {
    let entry = |number| (format!("key-{number}"), sample(&schema["additionalProperties"], number));
    Value::Object((0..count).map(entry).collect::<Map<_, _>>())
}

fn is_map(schema: &Value) -> bool {
    schema["additionalProperties"].is_object()
}

/// Different texts that the schema allows.
fn texts(schema: &Value) -> Vec<String> {
    let (least, most) = (size(schema, "minLength", 0), size(schema, "maxLength", LONG));
    let Some(pattern) = schema["pattern"].as_str() else {
        let named = |number| format!("n{number}");
        let edges = ["x".repeat(least), "x".repeat(most)];
        return (2..TEXTS).map(named).filter(|text| text.len() >= least).chain(edges).collect();
    };
    let pattern = pattern.strip_prefix('^').unwrap().strip_suffix('$').unwrap();
    let strategy = string_regex(pattern).unwrap();
    let mut runner = TestRunner::deterministic();
    let mut texts = Vec::new();
    while texts.len() < TEXTS {
        let text = strategy.new_tree(&mut runner).unwrap().current();
        if (least..=most).contains(&text.chars().count()) {
            texts.push(text);
        }
    }
    texts
}

fn bound(schema: &Value, name: &str) -> Option<i64> {
    // The API server takes whole numbers for what they are.
    schema[name].as_f64().map(|bound| bound as i64)
}

fn size(schema: &Value, name: &str, otherwise: usize) -> usize {
    schema[name].as_u64().map_or(otherwise, |size| usize::try_from(size).unwrap())
}
