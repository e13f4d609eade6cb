//! SVG to PDF with the fonts embedded and the origin in the document's information.

use std::collections::BTreeMap;
use std::sync::Arc;

use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, TextStr};
use svg2pdf::usvg::{Options, Tree, fontdb};

use super::Origin;
use super::draw::{Drawn, reason};

/// Part of Roboto (`fonts/README.md`). Compiled in: a figure does not depend on the fonts of a machine.
const FONT: &[u8] = include_bytes!("../../fonts/Roboto-Latin.ttf");

/// A PDF of one page as large as the SVG.
pub(super) fn from_svg(svg: &str, origin: &Origin) -> Drawn<Vec<u8>> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    let options = Options {
        fontdb: Arc::new(fonts),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).map_err(reason)?;
    let (chunk, drawing) =
        svg2pdf::to_chunk(&tree, svg2pdf::ConversionOptions::default()).map_err(reason)?;

    let mut next = Ref::new(1);
    let [catalog, pages, page, content, information] = std::array::from_fn(|_| next.bump());
    let mut renamed = BTreeMap::new();
    let chunk = chunk.renumber(|old| *renamed.entry(old).or_insert_with(|| next.bump()));
    let drawing = *renamed.get(&drawing).ok_or("svg2pdf made no drawing")?;

    // usvg measures in CSS pixels, 96 to the inch.
    let (width, height) = (tree.size().width() * 0.75, tree.size().height() * 0.75);
    let name = Name(b"figure");
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page]).count(1);
    let mut only = pdf.page(page);
    only.media_box(Rect::new(0.0, 0.0, width, height))
        .parent(pages)
        .contents(content);
    only.resources().x_objects().pair(name, drawing);
    only.finish();
    let mut operations = Content::new();
    operations
        .transform([width, 0.0, 0.0, height, 0.0, 0.0])
        .x_object(name);
    pdf.stream(content, &operations.finish());
    let mut about = pdf.document_info(information);
    about
        .title(TextStr(&origin.title))
        .producer(TextStr("era-report"));
    about.pair(Name(b"Command"), TextStr(&origin.command));
    about.pair(Name(b"Commits"), TextStr(&origin.commits));
    about.pair(Name(b"Records"), TextStr(&origin.records));
    about.finish();
    pdf.extend(&chunk);
    let mut bytes = pdf.finish();
    order_resources(&mut bytes);
    Ok(bytes)
}

/// Puts the entries of each resource dictionary in order. svg2pdf lists them in the order of a hash map, which is another
/// one every time; they are lines of text outside compressed streams, and changing places keeps all offsets.
fn order_resources(bytes: &mut [u8]) {
    const DICTIONARIES: [&[u8]; 2] = [b"\n    /XObject <<\n", b"\n    /ExtGState <<\n"];
    const END: &[u8] = b"    >>\n";
    let find =
        |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|window| window == part);
    for dictionary in DICTIONARIES {
        let mut from = 0;
        while let Some(at) = find(&bytes[from..], dictionary) {
            let start = from + at + dictionary.len();
            let Some(length) = find(&bytes[start..], END) else {
                break;
            };
            let entries = &mut bytes[start..start + length];
            let mut lines: Vec<Vec<u8>> = entries
                .split_inclusive(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect();
            lines.sort();
            entries.copy_from_slice(&lines.concat());
            from = start + length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_put_in_order_and_nothing_else_is() {
        let mut bytes = b"/b 1\n/a 2\n    /XObject <<\n      /x1 9 0 R\n      /x0 12 0 R\n    >>\n    /ExtGState <<\n      \
            /g1 1 0 R\n      /g0 2 0 R\n    >>\n    /XObject <<\n      /b 1 0 R\n      /a 1 0 R\n    >>\n"
            .to_vec();
        order_resources(&mut bytes);
        let expected = "/b 1\n/a 2\n    /XObject <<\n      /x0 12 0 R\n      /x1 9 0 R\n    >>\n    /ExtGState <<\n      \
            /g0 2 0 R\n      /g1 1 0 R\n    >>\n    /XObject <<\n      /a 1 0 R\n      /b 1 0 R\n    >>\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}
