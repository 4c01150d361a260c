//! A sheet as one A4 page in SVG, lengths in millimetres, no fonts or images from elsewhere.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

use super::KitError;
use super::sheet::Sheet;

const LEFT: u32 = 20;
const LINE: u32 = 7;
const QR_SIZE: u32 = 90;
/// Characters of a value that fit on one line.
const COLUMNS: usize = 60;

/// Draws the page.
pub(super) fn draw(sheet: &Sheet) -> Result<Zeroizing<String>, KitError> {
    let qr = QrCode::with_error_correction_level(sheet.fields_text().as_bytes(), EcLevel::M);
    let qr = qr.map_err(|_| KitError::Qr)?;
    let mut svg = Zeroizing::new(String::with_capacity(64 * 1024));
    svg.push_str(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"210mm\" height=\"297mm\" viewBox=\"0 0 210 297\">\n\
         <rect width=\"210\" height=\"297\" fill=\"#fff\"/>\n",
    );
    text(&mut svg, LEFT, 30, "font-family=\"sans-serif\" font-size=\"9\" font-weight=\"bold\"", sheet.title);
    let mut y = 42;
    for line in sheet.advice {
        text(&mut svg, LEFT, y, "font-family=\"sans-serif\" font-size=\"4\"", line);
        y += LINE;
    }
    y += LINE;
    for (name, value) in &sheet.fields {
        text(&mut svg, LEFT, y, "font-family=\"sans-serif\" font-size=\"4\" fill=\"#444\"", name);
        for line in value.as_bytes().chunks(COLUMNS) {
            let line = Zeroizing::new(String::from_utf8_lossy(line).into_owned());
            text(&mut svg, LEFT + 30, y, "font-family=\"monospace\" font-size=\"4\"", &line);
            y += LINE;
        }
    }
    draw_qr(&mut svg, &qr, y + LINE);
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// One path, a unit square per dark module, scaled to its place.
fn draw_qr(svg: &mut String, qr: &QrCode, y: u32) {
    let width = qr.width();
    let scale = f64::from(QR_SIZE) / width as f64;
    // Writing to a string cannot fail.
    let _ = write!(svg, "<path transform=\"translate({LEFT} {y}) scale({scale:.4})\" fill=\"#000\" d=\"");
    for (index, color) in qr.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let _ = write!(svg, "M{} {}h1v1h-1z", index % width, index / width);
        }
    }
    svg.push_str("\"/>\n");
}

fn text(svg: &mut String, x: u32, y: u32, style: &str, content: &str) {
    let _ = write!(svg, "<text x=\"{x}\" y=\"{y}\" {style}>");
    for character in content.chars() {
        match character {
            '<' => svg.push_str("&lt;"),
            '>' => svg.push_str("&gt;"),
            '&' => svg.push_str("&amp;"),
            other => svg.push(other),
        }
    }
    svg.push_str("</text>\n");
}
