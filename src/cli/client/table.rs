//! Tables: money aligned right, colours by meaning, at most as wide as the terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table,
};

use super::money::Brl;
use super::screen::{Screen, Tone, plain};
use crate::ledger::Centavos;

/// One field of a row.
pub(super) struct Field {
    text: String,
    tone: Tone,
    /// Whether its column is aligned right; the first row decides.
    right: bool,
    /// Whether its column is never narrower than its text, so that no number is cut in two; the
    /// first row decides.
    solid: bool,
}

impl Field {
    pub(super) fn text(text: impl ToString) -> Field {
        Field { text: plain(&text.to_string()), tone: Tone::Plain, right: false, solid: false }
    }

    /// Several lines.
    pub(super) fn lines(lines: impl IntoIterator<Item = String>) -> Field {
        let lines: Vec<_> = lines.into_iter().map(|line| plain(&line)).collect();
        Field { text: lines.join("\n"), ..Field::text("") }
    }

    pub(super) fn number(text: impl ToString) -> Field {
        Field { right: true, solid: true, ..Field::text(text) }
    }

    /// Red below zero.
    pub(super) fn money(sum: Centavos) -> Field {
        let tone = if sum < Centavos::ZERO { Tone::Bad } else { Tone::Plain };
        Field { tone, ..Field::number(Brl(sum)) }
    }

    /// In a column that is never narrower than this.
    pub(super) fn solid(self) -> Field {
        Field { solid: true, ..self }
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
    made(screen, header, rows).trim_fmt()
}

/// The same, if no text in it has to be broken; `None` if the terminal is too narrow.
pub(super) fn table_if_it_fits(
    screen: Screen,
    header: &[&str],
    rows: Vec<Vec<Field>>,
) -> Option<String> {
    let table = made(screen, header, rows);
    let columns = table.column_max_content_widths();
    // Each column has a blank on both sides and a line before it; a last line ends the table.
    let width = columns.iter().map(|width| usize::from(*width) + 3).sum::<usize>() + 1;
    table.width().is_none_or(|most| width <= usize::from(most)).then(|| table.trim_fmt())
}

fn made(screen: Screen, header: &[&str], rows: Vec<Vec<Field>>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if screen.colours_out {
        table.enforce_styling();
    }
    let title = |text: &&str| Field::text(text).toned(Tone::Title).cell(screen.colours_out);
    table.set_header(header.iter().map(title).collect::<Vec<_>>());
    let first = rows.iter().flatten().take(header.len());
    let columns: Vec<_> = first.map(|field| (field.right, field.solid)).collect();
    for row in rows {
        table.add_row(
            row.into_iter().map(|field| field.cell(screen.colours_out)).collect::<Vec<_>>(),
        );
    }
    for (column, (right, solid)) in table.column_iter_mut().zip(columns) {
        if right {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if solid {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}
