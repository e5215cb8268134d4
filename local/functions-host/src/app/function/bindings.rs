//! The `bindings` of a `function.json`, sorted by direction; types that this stand-in does not have are refused.

use crate::{HostError, app::fields::Field};

/// The bindings of one function.
pub(super) struct Bindings<'a> {
    pub(super) inputs: Vec<Field<'a>>,
    pub(super) outputs: Vec<Field<'a>>,
}

impl<'a> Bindings<'a> {
    pub(super) fn read(root: &Field<'a>) -> Result<Bindings<'a>, HostError> {
        let mut bindings = Bindings { inputs: Vec::new(), outputs: Vec::new() };
        for binding in root.require(&["bindings"])?.items()? {
            refuse_unknown(&binding)?;
            binding.require(&["name"])?.text()?;
            let direction = binding.require(&["direction"])?;
            match direction.text()?.to_ascii_lowercase().as_str() {
                "in" => bindings.inputs.push(binding),
                "out" => bindings.outputs.push(binding),
                _ => return Err(direction.must_be("in or out")),
            }
        }
        Ok(bindings)
    }

    /// The one input, which every function has.
    pub(super) fn trigger(&self, root: &Field<'a>) -> Result<&Field<'a>, HostError> {
        match self.inputs.as_slice() {
            [only] => Ok(only),
            [] => Err(root.complain("bindings holds no trigger")),
            _ => Err(root.complain("bindings holds more than one trigger")),
        }
    }

    /// The name of the first output.
    pub(super) fn http_output(&self) -> Result<Option<String>, HostError> {
        self.outputs.first().map(text_of("name")).transpose()
    }
}

/// The binding types this stand-in has, each with the only direction it can have.
fn refuse_unknown(binding: &Field<'_>) -> Result<(), HostError> {
    let field = binding.require(&["type"])?;
    let expected = match kind_of(binding)?.as_str() {
        "eventhubtrigger" | "httptrigger" | "timertrigger" => "in",
        "http" => "out",
        _ => return Err(field.unsupported_binding(field.text()?)),
    };
    let direction = binding.require(&["direction"])?;
    if direction.text()?.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(direction.must_be(&format!("{expected} for {}", field.text()?)))
}

/// The type of a binding, in lower case.
pub(super) fn kind_of(binding: &Field<'_>) -> Result<String, HostError> {
    Ok(binding.require(&["type"])?.text()?.to_ascii_lowercase())
}

/// Reads the text of a field by its name.
pub(super) fn text_of(key: &str) -> impl Fn(&Field<'_>) -> Result<String, HostError> {
    move |field| Ok(field.require(&[key])?.text()?.to_owned())
}
