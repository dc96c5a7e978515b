//! Whether an answer is what the committed schema says, for the tests of all verbs with `--json`.
//! A small judge of our own: it knows the words that our schema uses, and stumbles over any other.

use serde_json::Value;

fn schema() -> Value {
    let text = include_str!("../../schema/tidegate.json");
    serde_json::from_str(text).unwrap()
}

/// Of the verb's answer: one value, as the schema has it.
pub(super) fn is_as_described(answer: &[u8], property: &str, verb: &[&str]) {
    let root = schema();
    let value: Value = serde_json::from_slice(answer)
        .unwrap_or_else(|error| panic!("{verb:?}: {error}: {}", String::from_utf8_lossy(answer)));
    let described = &root["properties"][property];
    assert!(described.is_object(), "the schema has no {property}");
    if let Err(why) = judged(&root, described, &value, property) {
        panic!("{verb:?}: {why}\n{value:#}");
    }
}

/// Whether a value is what a part of the schema describes.
fn judged(root: &Value, part: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Some(words) = part.as_object() else {
        return if *part == Value::Bool(true) {
            Ok(())
        } else {
            Err(format!("{at}: not allowed"))
        };
    };
    for (word, said) in words {
        let all = |list: &Value| -> Vec<Value> { list.as_array().unwrap().clone() };
        let ok = match word.as_str() {
            "description" | "default" | "format" | "minimum" | "maximum" | "title" => Ok(()),
            "$ref" => {
                let name = said.as_str().unwrap().rsplit('/').next().unwrap();
                judged(root, &root["$defs"][name], value, at)
            }
            "type" => is_of_type(said, value, at),
            "const" if said == value => Ok(()),
            "enum" if all(said).contains(value) => Ok(()),
            "const" | "enum" => Err(format!("{at}: {value} is not {said}")),
            "anyOf" | "oneOf" => {
                let tried = all(said)
                    .iter()
                    .map(|one| judged(root, one, value, at))
                    .collect::<Vec<_>>();
                match tried.iter().any(Result::is_ok) {
                    true => Ok(()),
                    false => Err(format!("{at}: none of {tried:?}")),
                }
            }
            "items" => each(root, said, value, at),
            "required" => {
                let missing = all(said)
                    .into_iter()
                    .find(|key| value.get(key.as_str().unwrap()).is_none());
                missing.map_or(Ok(()), |key| Err(format!("{at}: {key} is missing")))
            }
            "properties" | "additionalProperties" => fields(root, part, value, at),
            other => panic!("the judge does not know `{other}`"),
        };
        ok?;
    }
    Ok(())
}

fn is_of_type(said: &Value, value: &Value, at: &str) -> Result<(), String> {
    let is = |name: &str| match name {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("the judge does not know the type `{other}`"),
    };
    let fits = match said {
        Value::String(name) => is(name),
        names => names
            .as_array()
            .unwrap()
            .iter()
            .any(|name| is(name.as_str().unwrap())),
    };
    if fits {
        Ok(())
    } else {
        Err(format!("{at}: {value} is no {said}"))
    }
}

fn each(root: &Value, part: &Value, value: &Value, at: &str) -> Result<(), String> {
    let mut items = value.as_array().into_iter().flatten().enumerate();
    items.try_for_each(|(n, item)| judged(root, part, item, &format!("{at}[{n}]")))
}

fn fields(root: &Value, part: &Value, value: &Value, at: &str) -> Result<(), String> {
    let mut fields = value.as_object().into_iter().flatten();
    fields.try_for_each(|(key, field)| {
        let described = part["properties"]
            .get(key)
            .or(part.get("additionalProperties"));
        described.map_or(Ok(()), |one| {
            judged(root, one, field, &format!("{at}.{key}"))
        })
    })
}
