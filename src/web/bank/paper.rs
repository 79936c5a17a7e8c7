//! Documents to print and to keep, as PDF: A4 in Helvetica, which every reader has, so that nothing
//! is embedded. What the font's alphabet (Windows-1252) lacks becomes a question mark.

use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use unicode_normalization::UnicodeNormalization as _;

/// The size of a page, in points of 1/72 inch.
const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
/// What stays white on all sides.
const MARGIN: f32 = 50.0;
/// Where the foot of a page stands.
const FOOT: f32 = 28.0;
/// How much higher than its letters a line is.
const LEADING: f32 = 1.4;
const PLAIN: Name<'static> = Name(b"F1");
const BOLD: Name<'static> = Name(b"F2");
/// The widths of Helvetica's letters from the blank to the tilde, in thousandths of the size: its
/// metrics as Adobe gives them.
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];
/// That of any other letter.
const WIDTH_OF_OTHERS: u16 = 600;
/// By how much the bold letters are wider, in percent.
const BOLD_WIDER: f32 = 1.08;

/// How wide the paper is between its margins.
pub(super) const ROOM: f32 = WIDTH - 2.0 * MARGIN;

/// A text on a line.
pub(super) struct Piece<'a> {
    /// How far from the left margin it begins, or, if it stands to the right, ends.
    pub(super) at: f32,
    pub(super) to_the_right: bool,
    pub(super) bold: bool,
    /// The most room that it takes; what is longer is cut off.
    pub(super) most: f32,
    pub(super) text: &'a str,
}

impl<'a> Piece<'a> {
    /// A text that begins here.
    pub(super) fn left(at: f32, most: f32, text: &'a str) -> Piece<'a> {
        Piece { at, to_the_right: false, bold: false, most, text }
    }

    /// A text that ends here.
    pub(super) fn right(at: f32, text: &'a str) -> Piece<'a> {
        Piece { at, to_the_right: true, bold: false, most: ROOM, text }
    }

    /// The same in bold letters.
    pub(super) fn bold(self) -> Piece<'a> {
        Piece { bold: true, ..self }
    }

    fn width_of(&self, letters: &[u8], size: f32) -> f32 {
        let width: u32 = letters.iter().map(|letter| u32::from(width(*letter))).sum();
        let width = width as f32 / 1_000.0 * size;
        if self.bold { width * BOLD_WIDER } else { width }
    }

    /// Its letters, as many as there is room for.
    fn letters(&self, size: f32) -> Vec<u8> {
        let mut letters = letters(self.text);
        if self.width_of(&letters, size) > self.most {
            while !letters.is_empty() && self.width_of(&letters, size) + size > self.most {
                letters.pop();
            }
            letters.push(ELLIPSIS);
        }
        letters
    }
}

const ELLIPSIS: u8 = 0x85;

fn width(letter: u8) -> u16 {
    // The blank that does not break is as wide as the other one.
    let letter = if letter == 0xa0 { b' ' } else { letter };
    let place = usize::from(letter).checked_sub(usize::from(b' '));
    place.and_then(|place| WIDTHS.get(place)).copied().unwrap_or(WIDTH_OF_OTHERS)
}

/// A text in the font's alphabet.
fn letters(text: &str) -> Vec<u8> {
    let letter = |letter: char| match letter {
        ' '..='~' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(letter)).unwrap_or(b'?'),
        '€' => 0x80,
        '…' => ELLIPSIS,
        'Š' => 0x8a,
        'Ž' => 0x8e,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        // The minus sign is not there.
        '–' | '−' => 0x96,
        '—' => 0x97,
        'š' => 0x9a,
        'ž' => 0x9e,
        _ => b'?',
    };
    text.nfc().map(letter).collect()
}

/// A document that is being written, page by page.
pub(super) struct Paper {
    title: String,
    /// At the foot of each page.
    foot: String,
    pages: Vec<Content>,
    /// Where the next line begins.
    y: f32,
}

impl Paper {
    /// With one page, and nothing on it.
    pub(super) fn new(title: &str, foot: &str) -> Paper {
        let (title, foot) = (title.to_owned(), foot.to_owned());
        Paper { title, foot, pages: vec![Content::new()], y: HEIGHT - MARGIN }
    }

    /// Whether a line of this size still has its place on the page; else a new page is begun.
    pub(super) fn make_room(&mut self, size: f32) -> bool {
        let has_room = self.y - size * LEADING >= MARGIN;
        if !has_room {
            self.pages.push(Content::new());
            self.y = HEIGHT - MARGIN;
        }
        has_room
    }

    /// A line of letters of this size, in points.
    pub(super) fn line(&mut self, size: f32, pieces: &[Piece<'_>]) {
        self.make_room(size);
        self.y -= size * LEADING;
        let y = self.y;
        let page = self.pages.last_mut().expect("there is always a page");
        for piece in pieces {
            let letters = piece.letters(size);
            let before = if piece.to_the_right { piece.width_of(&letters, size) } else { 0.0 };
            page.begin_text().set_font(if piece.bold { BOLD } else { PLAIN }, size);
            page.next_line(MARGIN + piece.at - before, y).show(Str(&letters)).end_text();
        }
    }

    /// A line to read across, and some room.
    pub(super) fn rule(&mut self) {
        self.y -= 4.0;
        let page = self.pages.last_mut().expect("there is always a page");
        page.set_line_width(0.5).move_to(MARGIN, self.y).line_to(WIDTH - MARGIN, self.y).stroke();
        self.y -= 4.0;
    }

    /// The document.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let count = self.pages.len();
        for (place, page) in self.pages.iter_mut().enumerate() {
            let number = format!("{} de {count}", place + 1);
            for piece in [Piece::left(0.0, ROOM - 60.0, &self.foot), Piece::right(ROOM, &number)] {
                let letters = piece.letters(8.0);
                let before = if piece.to_the_right { piece.width_of(&letters, 8.0) } else { 0.0 };
                page.begin_text().set_font(PLAIN, 8.0);
                page.next_line(MARGIN + piece.at - before, FOOT).show(Str(&letters)).end_text();
            }
        }
        let [catalog, tree, about, plain, bold] = [1, 2, 3, 4, 5].map(Ref::new);
        let count = i32::try_from(count).expect("far fewer pages than that");
        let refs = |first: i32| (0..count).map(move |page| Ref::new(first + 2 * page));
        let mut pdf = Pdf::new();
        let mut root = pdf.catalog(catalog);
        root.pages(tree).lang(TextStr("pt-BR"));
        root.finish();
        pdf.document_info(about).title(TextStr(&self.title));
        pdf.pages(tree).kids(refs(6)).count(count);
        for (font, name) in [(plain, &b"Helvetica"[..]), (bold, b"Helvetica-Bold")] {
            let mut font = pdf.type1_font(font);
            font.base_font(Name(name)).encoding_predefined(Name(b"WinAnsiEncoding"));
        }
        for ((page, text), content) in refs(6).zip(refs(7)).zip(self.pages) {
            let mut written = pdf.page(page);
            written.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(text);
            written.resources().fonts().pair(PLAIN, plain).pair(BOLD, bold);
            written.finish();
            pdf.stream(text, &content.finish());
        }
        pdf.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_are_kept_and_what_the_font_lacks_is_marked() {
        assert_eq!(letters("João"), b"Jo\xe3o");
        assert_eq!(letters("Joa\u{303}o −R$\u{a0}5"), b"Jo\xe3o \x96R$\xa05");
        assert_eq!(letters("漢"), b"?");
    }

    #[test]
    fn what_is_too_long_is_cut_and_what_stands_to_the_right_ends_there() {
        let long = "w".repeat(100);
        let piece = Piece::left(0.0, 100.0, &long);
        let letters = piece.letters(10.0);
        assert!(letters.ends_with(&[ELLIPSIS]) && piece.width_of(&letters, 10.0) <= 100.0);
        assert_eq!(Piece::right(0.0, "1.000").width_of(b"1.000", 10.0), 4.0 * 5.56 + 2.78);
    }

    #[test]
    fn a_page_that_is_full_is_followed_by_another() {
        let mut paper = Paper::new("Extrato", "Banco");
        for line in 0..200 {
            paper.line(10.0, &[Piece::left(0.0, ROOM, &format!("linha ({line})"))]);
        }
        let pdf = paper.finish();
        let has = |text: &str| pdf.windows(text.len()).filter(|at| *at == text.as_bytes()).count();
        assert!(pdf.starts_with(b"%PDF-1.") && pdf.trim_ascii_end().ends_with(b"%%EOF"));
        assert_eq!((has("/Type /Page\n"), has("(4 de 4)")), (4, 1));
        assert_eq!(has("linha"), 200);
    }
}
