//! HTML from the templates of the page; every text is escaped.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

use crate::error::ReportError;

/// The template of the page, and those that it is put together from.
const TEMPLATES: [(&str, &str); 5] = [
    (PAGE, include_str!("page.html.j2")),
    ("macros.html.j2", include_str!("macros.html.j2")),
    ("overview.html.j2", include_str!("overview.html.j2")),
    ("section.html.j2", include_str!("section.html.j2")),
    ("figure.html.j2", include_str!("figure.html.j2")),
];

const PAGE: &str = "page.html.j2";

/// Fills in the page.
pub(super) fn render(context: &impl Serialize) -> Result<String, ReportError> {
    let wrong = |source| ReportError::Template {
        name: PAGE.to_owned(),
        source,
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    environment.set_syntax(syntax.map_err(wrong)?);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text).map_err(wrong)?;
    }
    let page = environment.get_template(PAGE).map_err(wrong)?;
    page.render(Value::from(Serde(context))).map_err(wrong)
}
