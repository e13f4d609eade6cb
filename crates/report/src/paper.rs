//! Typesetting the paper.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::ReportError;

/// The paper's main file.
const MAIN: &str = "main.tex";
/// Where pdflatex leaves its files, below the paper's folder.
const BUILD: &str = "build";
/// Passes: the second one knows the numbers of tables and figures.
const PASSES: usize = 2;
/// Last lines of LaTeX's complaint that are kept.
const COMPLAINT: usize = 12;

/// What came of typesetting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typeset {
    /// The PDF.
    Pdf(PathBuf),
    /// pdflatex is not installed; everything that it needs is there.
    NoLatex {
        /// The main file, ready to be typeset elsewhere.
        tex: PathBuf,
        /// What to install, for people.
        install: &'static str,
    },
    /// pdflatex refused the text.
    Refused {
        /// Its log.
        log: PathBuf,
        /// The lines that say why.
        complaint: String,
    },
}

/// Typesets `main.tex` of the paper's folder into `build/main.pdf` there.
///
/// # Errors
/// The folder cannot be written, `main.tex` is not there, or pdflatex cannot be started although it is installed.
pub fn build_pdf(paper: &Path) -> Result<Typeset, ReportError> {
    build_with("pdflatex", paper)
}

fn build_with(latex: &str, paper: &Path) -> Result<Typeset, ReportError> {
    let tex = paper.join(MAIN);
    std::fs::metadata(&tex).map_err(ReportError::file("read", &tex))?;
    let build = paper.join(BUILD);
    std::fs::create_dir_all(&build).map_err(ReportError::file("create", &build))?;
    for _ in 0..PASSES {
        let output = Command::new(latex)
            .args([
                "-interaction=nonstopmode",
                "-halt-on-error",
                "-output-directory",
                BUILD,
                MAIN,
            ])
            .current_dir(paper)
            .stdin(Stdio::null())
            .output();
        match output {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let complaint = complaint(&String::from_utf8_lossy(&output.stdout));
                return Ok(Typeset::Refused {
                    log: build.join("main.log"),
                    complaint,
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let install = "pdflatex with the packages of texlive-latex-recommended and lmodern";
                return Ok(Typeset::NoLatex { tex, install });
            }
            Err(error) => return Err(ReportError::file("start", Path::new(latex))(error)),
        }
    }
    Ok(Typeset::Pdf(build.join("main.pdf")))
}

/// LaTeX's complaint starts with the first line that begins with an exclamation mark.
fn complaint(output: &str) -> String {
    let from_error = output.lines().skip_while(|line| !line.starts_with('!'));
    let lines: Vec<&str> = from_error.take(COMPLAINT).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_latex_the_main_file_is_named() {
        let paper = tempfile::tempdir().unwrap();
        let tex = paper.path().join(MAIN);
        assert!(
            build_with("pdflatex", paper.path())
                .unwrap_err()
                .to_string()
                .contains("main.tex")
        );
        std::fs::write(&tex, "").unwrap();
        let outcome = build_with("a-program-that-is-not-there", paper.path()).unwrap();
        assert!(matches!(outcome, Typeset::NoLatex { tex: named, .. } if named == tex));
    }

    #[test]
    fn the_complaint_starts_at_the_error() {
        assert_eq!(
            complaint("This is pdfTeX\n(./main.tex\n! Undefined control sequence.\nl.3 \\x\n"),
            "! Undefined control sequence.\nl.3 \\x"
        );
    }
}
