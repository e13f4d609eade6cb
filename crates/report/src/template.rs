//! LaTeX from templates: `((( value )))`, `((* statement *))`, `((= comment =))`.
//!
//! Templates are read from the paper's folder when a report is made, not compiled in: whoever edits one sees the result
//! without building anything, and `--check` holds generated files against the template that lies beside them.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

use crate::analysis::Analysis;
use crate::error::ReportError;

/// The templates of one folder.
pub(crate) struct Templates(Environment<'static>);

impl Templates {
    pub(crate) fn new(folder: &Path) -> Result<Self, ReportError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .variable_delimiters("(((", ")))")
            .block_delimiters("((*", "*))")
            .comment_delimiters("((=", "=))")
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build();
        environment.set_syntax(syntax.map_err(|source| ReportError::Template {
            name: "syntax".into(),
            source,
        })?);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_loader(minijinja::path_loader(folder));
        // Every text is escaped unless a filter says that it is LaTeX already.
        environment.set_auto_escape_callback(|_| AutoEscape::Custom("latex".into()));
        environment.set_formatter(|out, _, value| match value.as_str() {
            Some(text) if !value.is_safe() => Ok(out.write_str(&escape(text))?),
            _ => Ok(write!(out, "{value}")?),
        });
        environment.add_filter("number", |text: &str| Value::from_safe_string(number(text)));
        environment.add_filter("quantity", |text: &str| {
            Value::from_safe_string(quantity(text))
        });
        environment.add_filter("comment", |text: &str| {
            Value::from_safe_string(comment(text))
        });
        Ok(Self(environment))
    }

    /// Fills in `<name>.tex.j2`.
    pub(crate) fn render(
        &self,
        name: &str,
        context: impl Serialize,
    ) -> Result<String, ReportError> {
        let name = format!("{name}.tex.j2");
        let text = self
            .0
            .get_template(&name)
            .and_then(|template| template.render(Value::from(Serde(context))));
        text.map_err(|source| ReportError::Template { name, source })
    }
}

/// Text as LaTeX prints it: everything special is escaped, line breaks become spaces.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str(r"\textbackslash{}"),
            '~' => escaped.push_str(r"\textasciitilde{}"),
            '^' => escaped.push_str(r"\textasciicircum{}"),
            '<' => escaped.push_str(r"\textless{}"),
            '>' => escaped.push_str(r"\textgreater{}"),
            '|' => escaped.push_str(r"\textbar{}"),
            '"' => escaped.push_str(r"\textquotedbl{}"),
            '{' | '}' | '$' | '&' | '#' | '%' | '_' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A printed number with LaTeX's minus and comparison signs.
pub(crate) fn number(text: &str) -> String {
    text.replace('-', "$-$")
        .replace('<', "$<$")
        .replace('>', "$>$")
}

/// A number with words or a unit, with LaTeX's minus.
pub(crate) fn quantity(text: &str) -> String {
    escape(text).replace('-', "$-$")
}

/// Text for a line of comment: no line break can end it.
pub(crate) fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The first lines of a generated file, in comments: the command that makes it and the cells that it has no numbers of.
pub(crate) fn header(analysis: &Analysis<'_>) -> String {
    let mut lines = vec![format!("Made from run records by: {}", analysis.command())];
    if analysis.smoke() {
        lines.push(Analysis::SMOKE.to_owned());
    }
    let left_out = &analysis.board.left_out;
    lines.extend(
        left_out
            .iter()
            .map(|left_out| format!("left out: {}: {}", left_out.cell, left_out.reason)),
    );
    lines
        .iter()
        .map(|line| format!("% {}\n", comment(line)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_special_survives() {
        assert_eq!(
            escape(r#"a_b 50% $x$ #1 {y} \z ~^<>|" & \input{/etc}"#),
            r"a\_b 50\% \$x\$ \#1 \{y\} \textbackslash{}z \textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\textbar{}\textquotedbl{} \& \textbackslash{}input\{/etc\}"
        );
        assert_eq!(escape("two\nlines"), "two lines");
        assert_eq!(comment("a\nb\r%"), "a b %");
        assert_eq!(quantity("-7.0 %"), r"$-$7.0 \%");
    }

    #[test]
    fn an_unknown_name_in_a_template_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("t.tex.j2"),
            "((( known ))) ((( unknown )))",
        )
        .unwrap();
        let templates = Templates::new(folder.path()).unwrap();
        let error = templates
            .render("t", minijinja::context! { known => "a_b" })
            .unwrap_err();
        assert!(error.to_string().contains("t.tex.j2"), "{error}");
        std::fs::write(
            folder.path().join("u.tex.j2"),
            "((( known ))) ((( '-1'|number )))",
        )
        .unwrap();
        assert_eq!(
            templates
                .render("u", minijinja::context! { known => "a_b" })
                .unwrap(),
            r"a\_b $-$1"
        );
    }
}
