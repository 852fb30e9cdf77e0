//! What the built object calls, read from its machine code.
//! It judges instructions only, and loads nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result};
use object::{
    File, Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SectionKind,
};

/// `BPF_JMP | BPF_CALL` (RFC 9669 §4.3).
const CALL: u8 = 0x85;
/// The source register of a call to a function of the program, not to a helper.
const LOCAL: u8 = 1;
/// Bytes of an instruction.
const WIDTH: i64 = 8;

/// The names of the program's own functions that it calls.
pub(crate) fn calls(bytes: &[u8]) -> Result<BTreeSet<String>> {
    let file = File::parse(bytes)?;
    let functions: HashMap<(Option<SectionIndex>, u64), &str> = file
        .symbols()
        .filter(|symbol| symbol.is_definition())
        .filter_map(|symbol| {
            Some((
                (symbol.section_index(), symbol.address()),
                symbol.name().ok()?,
            ))
        })
        .collect();
    let mut called = BTreeSet::new();
    for section in file
        .sections()
        .filter(|section| section.kind() == SectionKind::Text)
    {
        let relocations: BTreeMap<u64, RelocationTarget> = section
            .relocations()
            .map(|(at, relocation)| (at, relocation.target()))
            .collect();
        for (index, instruction) in section.data()?.chunks_exact(WIDTH as usize).enumerate() {
            let [CALL, registers, _, _, a, b, c, d] = *instruction else {
                continue;
            };
            if registers >> 4 != LOCAL {
                continue;
            }
            let distance = i64::from(i32::from_le_bytes([a, b, c, d])) + 1;
            let at = index as i64 * WIDTH;
            let target = match relocations.get(&(at as u64)) {
                Some(RelocationTarget::Symbol(symbol)) => {
                    let symbol = file.symbol_by_index(*symbol)?;
                    let within = symbol.address() + (distance * WIDTH) as u64;
                    (symbol.section_index(), within)
                }
                _ => (Some(section.index()), (at + distance * WIDTH) as u64),
            };
            let name = functions
                .get(&target)
                .with_context(|| format!("the call at {at:#x} goes to no function"))?;
            called.insert((*name).to_owned());
        }
    }
    Ok(called)
}
