//! Tables: money aligned right, colours by meaning, at most as wide as the terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use super::money::Brl;
use super::screen::{Screen, Tone, plain};
use crate::ledger::Centavos;

/// One field of a row.
pub(super) struct Field {
    text: String,
    tone: Tone,
    /// Whether its column is aligned right; the first row decides.
    right: bool,
}

impl Field {
    pub(super) fn text(text: impl ToString) -> Field {
        Field { text: plain(&text.to_string()), tone: Tone::Plain, right: false }
    }

    pub(super) fn number(text: impl ToString) -> Field {
        Field { right: true, ..Field::text(text) }
    }

    /// Red below zero.
    pub(super) fn money(sum: Centavos) -> Field {
        let tone = if sum < Centavos::ZERO { Tone::Bad } else { Tone::Plain };
        Field { text: Brl(sum).to_string(), tone, right: true }
    }

    pub(super) fn toned(self, tone: Tone) -> Field {
        Field { tone, ..self }
    }

    fn cell(self, colours: bool) -> Cell {
        let cell = Cell::new(self.text);
        match self.tone {
            _ if !colours => cell,
            Tone::Plain => cell,
            Tone::Title => cell.add_attribute(Attribute::Bold),
            Tone::Good => cell.fg(Color::Green),
            Tone::Bad => cell.fg(Color::Red),
            Tone::Remark => cell.fg(Color::Yellow),
        }
    }
}

/// The table as text, without a line end.
pub(super) fn table(screen: Screen, header: &[&str], rows: Vec<Vec<Field>>) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if screen.colours_out {
        table.enforce_styling();
    }
    let title = |text: &&str| Field::text(text).toned(Tone::Title).cell(screen.colours_out);
    table.set_header(header.iter().map(title).collect::<Vec<_>>());
    let right: Vec<_> = rows.iter().flatten().take(header.len()).map(|field| field.right).collect();
    for row in rows {
        table.add_row(
            row.into_iter().map(|field| field.cell(screen.colours_out)).collect::<Vec<_>>(),
        );
    }
    for (column, _) in table.column_iter_mut().zip(right).filter(|(_, right)| *right) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}
