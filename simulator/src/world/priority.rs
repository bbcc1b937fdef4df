//! Priority from impact and urgency; a written priority is overruled (wire contract 3.1).

use super::Fields;

/// The stock matrix: impact in rows, urgency in columns.
const MATRIX: [[u8; 3]; 3] = [[1, 2, 3], [2, 3, 4], [3, 4, 5]];

pub(super) fn compute(fields: &mut Fields) {
    let index = |column| usize::try_from(fields.number(column) - 1).ok();
    let cell = index("impact").zip(index("urgency"));
    if let Some(priority) = cell.and_then(|(impact, urgency)| MATRIX.get(impact)?.get(urgency)) {
        fields.set("priority", priority.to_string());
    }
}
