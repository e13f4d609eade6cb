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
    let options = Options { fontdb: Arc::new(fonts), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(reason)?;
    let (chunk, drawing) = svg2pdf::to_chunk(&tree, svg2pdf::ConversionOptions::default()).map_err(reason)?;

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
    only.media_box(Rect::new(0.0, 0.0, width, height)).parent(pages).contents(content);
    only.resources().x_objects().pair(name, drawing);
    only.finish();
    let mut operations = Content::new();
    operations.transform([width, 0.0, 0.0, height, 0.0, 0.0]).x_object(name);
    pdf.stream(content, &operations.finish());
    let mut about = pdf.document_info(information);
    about.title(TextStr(&origin.title)).producer(TextStr("era-report"));
    about.pair(Name(b"Command"), TextStr(&origin.command));
    about.pair(Name(b"Commits"), TextStr(&origin.commits));
    about.pair(Name(b"Records"), TextStr(&origin.records));
    about.finish();
    pdf.extend(&chunk);
    Ok(pdf.finish())
}
