//! Small PDF files with real text: ISO 32000-1, version 1.4, the standard
//! Times fonts, uncompressed pages and a plain cross-reference table.

use std::fmt::Write as _;

use super::page::Document;

/// A4, in points.
const WIDTH: u32 = 595;
const HEIGHT: u32 = 842;
const MARGIN: u32 = 72;
const LEADING: u32 = 18;

/// Advance widths of Times-Roman in thousandths of the size, from space to
/// tilde, as the Adobe font metrics give them.
const TIMES: [u16; 95] = [
    250, 333, 408, 500, 500, 833, 778, 180, 333, 333, 500, 564, 250, 333, 250, 278, 500, 500, 500,
    500, 500, 500, 500, 500, 500, 500, 278, 278, 564, 564, 564, 444, 921, 722, 667, 667, 722, 611,
    556, 722, 722, 333, 389, 722, 611, 889, 722, 722, 556, 722, 667, 556, 611, 722, 722, 944, 722,
    722, 611, 333, 278, 333, 469, 500, 333, 444, 500, 444, 500, 444, 333, 500, 500, 278, 278, 500,
    278, 778, 500, 500, 500, 500, 333, 389, 278, 500, 500, 722, 500, 500, 444, 480, 200, 480, 541,
];

/// The PDF of a document: a sheet that says what was disclosed by whom, then
/// the document itself. What the Inquiry wrote itself has no such sheet.
pub(super) fn write(document: &Document) -> Vec<u8> {
    let mut sheets = Vec::new();
    if !document.author.contains("Inquiry") {
        let mut sheet = Sheet::new(document.number);
        sheet.text("F2", 20, "Disclosed to the Inquiry");
        for (name, value) in [
            ("Number", document.number),
            ("Title", document.title),
            ("Date", document.date),
            ("From", document.author),
        ] {
            sheet.text("F1", 12, &format!("{name}: {value}"));
        }
        sheet.text(
            "F1",
            12,
            "Names and addresses of private persons have been removed. Nothing else has been changed.",
        );
        sheets.push(sheet);
    }
    let mut sheet = Sheet::new(document.number);
    sheet.text("F2", 18, document.title);
    sheet.text("F1", 12, &format!("{}, {}", document.author, document.date));
    for paragraph in &document.paragraphs {
        if sheet.is_full() {
            sheets.push(std::mem::replace(&mut sheet, Sheet::new(document.number)));
        }
        sheet.text("F1", 12, paragraph);
    }
    sheets.push(sheet);
    assemble(document, &sheets)
}

/// The marks of one page, as a content stream.
struct Sheet {
    marks: String,
    /// Distance of the next line from the foot of the page, in points.
    y: u32,
}

impl Sheet {
    fn new(number: &str) -> Sheet {
        let foot = format!("The Harrow Vale Water Inquiry   {number}");
        let marks = format!(
            "0.06 0.27 0.31 rg\n{MARGIN} {} 451 3 re f\nBT /F1 9 Tf {MARGIN} 40 Td {} Tj ET\n0 g\n",
            HEIGHT - 60,
            string(&foot)
        );
        Sheet {
            marks,
            y: HEIGHT - 100,
        }
    }

    fn is_full(&self) -> bool {
        self.y < 170
    }

    /// Sets one paragraph, broken into lines at the margin.
    fn text(&mut self, font: &str, size: u32, text: &str) {
        let room = (WIDTH - 2 * MARGIN) * 1000 / size;
        let leading = LEADING.max(size * 5 / 4);
        for line in lines(text, if font == "F2" { room * 9 / 10 } else { room }) {
            writeln!(
                self.marks,
                "BT /{font} {size} Tf {MARGIN} {} Td {} Tj ET",
                self.y,
                string(&line)
            )
            .expect("a String takes any write");
            self.y = self.y.saturating_sub(leading);
        }
        self.y = self.y.saturating_sub(leading / 2);
    }
}

/// Breaks text at spaces so that each line is no wider than `room`, in
/// thousandths of the font size.
fn lines(text: &str, room: u32) -> Vec<String> {
    let width = |word: &str| -> u32 {
        word.bytes()
            .map(|byte| {
                let at = usize::from(byte.saturating_sub(b' '));
                u32::from(TIMES.get(at).copied().unwrap_or(500))
            })
            .sum()
    };
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        if !line.is_empty() && used + 250 + width(word) > room {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if !line.is_empty() {
            line.push(' ');
            used += 250;
        }
        line.push_str(word);
        used += width(word);
    }
    lines.push(line);
    lines
}

/// A literal string, ISO 32000-1 §7.3.4.2.
fn string(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('(', "\\(")
        .replace(')', "\\)");
    format!("({escaped})")
}

/// Objects, cross-reference table and trailer, ISO 32000-1 §7.5.
fn assemble(document: &Document, sheets: &[Sheet]) -> Vec<u8> {
    // Objects 1 to 5 are fixed; each page is then two objects.
    let kids: Vec<String> = (0..sheets.len())
        .map(|at| format!("{} 0 R", 6 + 2 * at))
        .collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R /Lang (en-GB) >>".to_owned(),
        format!(
            "<< /Type /Pages /Kids [{}] /Count {} >>",
            kids.join(" "),
            sheets.len()
        ),
        font("Times-Roman"),
        font("Times-Bold"),
        format!(
            "<< /Title {} /Author {} >>",
            string(document.title),
            string(document.author)
        ),
    ];
    for (at, sheet) in sheets.iter().enumerate() {
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] \
             /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents {} 0 R >>",
            7 + 2 * at
        ));
        objects.push(format!(
            "<< /Length {} >>\nstream\n{}endstream",
            sheet.marks.len(),
            sheet.marks
        ));
    }

    // A comment of high bytes tells transfer programs that the file is binary.
    let mut file = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (at, object) in objects.iter().enumerate() {
        writeln!(table, "{:010} 00000 n ", file.len()).expect("a String takes any write");
        file.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", at + 1).as_bytes());
    }
    let start = file.len();
    file.extend_from_slice(table.as_bytes());
    file.extend_from_slice(
        format!(
            "trailer\n<< /Size {} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{start}\n%%EOF\n",
            objects.len() + 1
        )
        .as_bytes(),
    );
    file
}

fn font(name: &str) -> String {
    format!("<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::demo::site::page::documents;

    #[test]
    fn cross_references_point_at_their_objects() {
        for document in documents() {
            let file = write(&document);
            assert!(file.starts_with(b"%PDF-1.4\n") && file.ends_with(b"%%EOF\n"));
            let text = String::from_utf8_lossy(&file).into_owned();
            let start: usize = text
                .rsplit_once("startxref\n")
                .and_then(|(_, tail)| tail.lines().next())
                .unwrap()
                .parse()
                .unwrap();
            assert!(file[start..].starts_with(b"xref\n"));
            let table = std::str::from_utf8(&file[start..]).unwrap();
            let offsets: Vec<usize> = table
                .lines()
                .filter_map(|line| line.strip_suffix(" 00000 n "))
                .map(|offset| offset.parse().unwrap())
                .collect();
            assert!(offsets.len() >= 7);
            for (at, offset) in offsets.iter().enumerate() {
                let heading = format!("{} 0 obj\n", at + 1);
                assert!(file[*offset..].starts_with(heading.as_bytes()));
            }
        }
    }

    #[test]
    fn stream_lengths_are_right_and_text_keeps_to_the_page() {
        for document in documents() {
            let file = write(&document);
            let text = String::from_utf8_lossy(&file).into_owned();
            for stream in text.split("<< /Length ").skip(1) {
                let (length, rest) = stream.split_once(" >>\nstream\n").unwrap();
                let (marks, _) = rest.split_once("endstream").unwrap();
                assert_eq!(marks.len(), length.parse::<usize>().unwrap());
            }
            assert!(documents().iter().all(|document| {
                document
                    .paragraphs
                    .iter()
                    .all(|paragraph| paragraph.is_ascii())
            }));
            let lowest = text
                .lines()
                .filter(|line| line.ends_with("Tj ET") && !line.contains(" 9 Tf "))
                .map(|line| line.split(' ').nth(5).unwrap().parse::<u32>().unwrap())
                .min()
                .unwrap();
            assert!(lowest > 60, "{}: {lowest}", document.number);
        }
    }
}
