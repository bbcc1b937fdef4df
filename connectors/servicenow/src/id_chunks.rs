//! Splits id lists so that no URL comes near the limit of an instance (wire contract 11.4).

use percent_encoding::percent_encode;

use crate::query::ENCODED;

/// The most ids in one `IN` list.
pub const MAX_IDS_PER_CHUNK: usize = 150;
/// The most bytes of path and query together; an instance refuses 8192.
pub const MAX_QUERY_BYTES: usize = 7000;

/// Splits `ids` into chunks of at most 150 ids whose encoded list, together with `other_bytes` (the encoded rest of
/// the path and query), stays below 7 KB. A single id that is longer than that gets a chunk of its own.
pub fn chunk_ids<S: AsRef<str>>(ids: &[S], other_bytes: usize) -> Vec<&[S]> {
    let room = MAX_QUERY_BYTES.saturating_sub(other_bytes);
    let mut chunks = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, id) in ids.iter().enumerate() {
        // One byte for the comma, which is sent as it is.
        let needed = percent_encode(id.as_ref().as_bytes(), ENCODED)
            .map(str::len)
            .sum::<usize>()
            + 1;
        let full = index - start == MAX_IDS_PER_CHUNK || bytes + needed >= room;
        if full && index > start {
            chunks.push(&ids[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += needed;
    }
    if start < ids.len() {
        chunks.push(&ids[start..]);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_chunk_is_too_big(
            ids in prop::collection::vec("[a-z0-9@ ]{1,60}", 0..400),
            other in 0_usize..6000,
        ) {
            let chunks = chunk_ids(&ids, other);
            prop_assert_eq!(chunks.concat(), ids.clone());
            for chunk in chunks {
                let list: Vec<String> = chunk.to_vec();
                let bytes = percent_encode(list.join(",").as_bytes(), ENCODED).to_string().len();
                prop_assert!(!chunk.is_empty() && chunk.len() <= MAX_IDS_PER_CHUNK);
                prop_assert!(chunk.len() == 1 || bytes + other < MAX_QUERY_BYTES);
            }
        }
    }

    #[test]
    fn ordinary_ids_fill_whole_chunks() {
        let ids: Vec<String> = (0..301).map(|number| format!("{number:032x}")).collect();
        let sizes: Vec<usize> = chunk_ids(&ids, 500)
            .iter()
            .map(|chunk| chunk.len())
            .collect();
        assert_eq!(sizes, [150, 150, 1]);
    }
}
