//! Chat templates: how a model wants a conversation written down.

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, State, context};

use super::TextError;

const NAME: &str = "chat";
/// Instructions that a template may take; the usual ones take some hundred.
const FUEL: u64 = 1_000_000;

/// A parsed template.
#[derive(Clone, Debug)]
pub(super) struct Template {
    environment: Arc<Environment<'static>>,
    begin: String,
    end: String,
}

impl Template {
    /// Parses a template in Jinja, which Hugging Face gives the texts of the tokens that begin and end a sequence.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(source: String, begin: String, end: String) -> Result<Self, String> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(|error| error.to_string())?);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(method);
        environment.add_function(
            "raise_exception",
            |reason: String| -> Result<Value, Error> {
                Err(Error::new(ErrorKind::InvalidOperation, reason))
            },
        );
        environment
            .add_template_owned(NAME, source)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            environment: Arc::new(environment),
            begin,
            end,
        })
    }

    /// A conversation of one message, and the opening of the answer.
    pub(super) fn render(&self, user: &str) -> Result<String, TextError> {
        let template = self.environment.get_template(NAME);
        let rendered = template.and_then(|template| {
            template.render(context! {
                messages => [context! { role => "user", content => user }],
                add_generation_prompt => true,
                bos_token => self.begin.as_str(),
                eos_token => self.end.as_str(),
            })
        });
        rendered.map_err(|error| TextError::Chat(error.to_string()))
    }
}

/// The methods of Python's strings that templates use.
fn method(
    _: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    let unknown = || Error::from(ErrorKind::UnknownMethod);
    let text = value.as_str().ok_or_else(unknown)?;
    let argument = match arguments {
        [] => None,
        [argument] => Some(argument.as_str().ok_or_else(unknown)?),
        _ => return Err(unknown()),
    };
    let strips = |symbol: char| match argument {
        Some(symbols) => symbols.contains(symbol),
        None => symbol.is_whitespace(),
    };
    Ok(match (name, argument) {
        ("strip", _) => text.trim_matches(strips).into(),
        ("lstrip", _) => text.trim_start_matches(strips).into(),
        ("rstrip", _) => text.trim_end_matches(strips).into(),
        ("startswith", Some(start)) => text.starts_with(start).into(),
        ("endswith", Some(end)) => text.ends_with(end).into(),
        ("split", Some(by)) if !by.is_empty() => text.split(by).collect(),
        ("upper", None) => text.to_uppercase().into(),
        ("lower", None) => text.to_lowercase().into(),
        _ => return Err(unknown()),
    })
}
