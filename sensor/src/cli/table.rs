//! Text in columns for a person to read.
//! It must not be parsed: programs are given JSON or CSV.

use std::fmt;
use std::net::IpAddr;

use contract::printable::printable;
use ipnet::IpNet;

/// Between two columns.
const GAP: &str = "  ";

/// No column becomes narrower than this to fit a terminal: beyond it a line may as well wrap.
const NARROWEST: usize = 8;

/// Rows under a header; columns are as wide as their widest cell.
pub struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without rows.
    pub fn new(header: [&str; COLUMNS]) -> Self {
        Self {
            rows: vec![header.map(str::to_owned)],
        }
    }

    /// Adds a row; text from outside loses what could harm a terminal.
    pub fn push(&mut self, row: [String; COLUMNS]) {
        self.rows
            .push(row.map(|cell| printable(&cell).into_owned()));
    }

    /// Shortens cells until a line is at most `width` wide, the widest columns first. The first column says what the
    /// row is about, and stays whole; so does an address, of which a part is worth nothing.
    pub fn fit(&mut self, width: usize) {
        let mut widths = self.widths();
        let mut least = [NARROWEST; COLUMNS];
        for row in &self.rows {
            for (cell, least) in row.iter().zip(&mut least) {
                if is_address(cell) {
                    *least = (*least).max(cell.len());
                }
            }
        }
        let total = |widths: &[usize; COLUMNS]| {
            widths.iter().sum::<usize>() + GAP.len() * COLUMNS.saturating_sub(1)
        };
        while total(&widths) > width {
            let rest = widths.iter_mut().zip(least).skip(1);
            let wide = rest.filter(|(width, least)| **width > *least);
            let Some((widest, _)) = wide.max_by_key(|(width, _)| **width) else {
                break;
            };
            *widest -= 1;
        }
        for row in &mut self.rows {
            for (cell, width) in row.iter_mut().zip(widths).skip(1) {
                if cell.chars().count() > width {
                    *cell = cell.chars().take(width.saturating_sub(1)).collect();
                    cell.push('…');
                }
            }
        }
    }

    fn widths(&self) -> [usize; COLUMNS] {
        let mut widths = [0; COLUMNS];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }

    /// Whether there is nothing below the header.
    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }
}

fn is_address(cell: &str) -> bool {
    cell.parse::<IpAddr>().is_ok() || cell.parse::<IpNet>().is_ok()
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let cells = row.iter().zip(widths);
            let line: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            writeln!(f, "{}", line.join(GAP).trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_never_cut() {
        let mut table = Table::new(["TIME", "OFFENDER", "WHY"]);
        let offender = "2001:db8:1111:2222:3333:4444:5555:6666";
        table.push(["19:14:55Z", offender, "a sentence that is long"].map(str::to_owned));
        table.fit(50);
        assert!(table.to_string().contains(offender), "{table}");
    }

    #[test]
    fn a_narrow_terminal_shortens_the_widest_cells_and_never_the_first() {
        let mut table = Table::new(["TARGET", "BY", "WHY"]);
        let why = "a sentence that is much too long for a narrow terminal";
        table.push(["2001:db8:1234:5678::/64", "root (uid 0)", why].map(str::to_owned));
        table.fit(60);
        let text = table.to_string();
        assert!(
            text.lines().all(|line| line.chars().count() <= 60),
            "{text}"
        );
        assert!(text.contains("2001:db8:1234:5678::/64  root (uid 0)  a sentence"));
        assert!(text.trim_end().ends_with('…'));
        table.fit(10);
        assert!(table.to_string().contains("2001:db8:1234:5678::/64"));
    }
}
