// Where the rows of a walk stand: each at a position of its own context, whose keys and values lie in pages.
//
//   places: a record a row:  | position i32 | address of the context's pages |
//   pages:  i32, one for each KV_PAGE_POSITIONS positions: the number of a page in the cache; before them
//           | the context's first position in this walk | the state to begin with | the state to leave |
//
// States, of models that have them (ops/delta-net.ts), are counted like pages; the two of a context may be one. So rows
// of one walk may belong to different contexts, and contexts that begin alike may list the same pages.
import { CONTEXT_HEAD_BYTES, KV_PAGE_POSITIONS, PLACE_BYTES } from "./abi";

@unmanaged
export class Place {
  position: i32;
  pages: usize;
}

export function placeOf(places: usize, row: i32): Place {
  return changetype<Place>(places + <usize>row * PLACE_BYTES);
}

/** The page at index `i` of a context. */
export function pageAt(pages: usize, i: i32): usize {
  return <usize>load<i32>(pages + ((<usize>i) << 2));
}

/** Where a row's own key and value go in a head's pages, counted in positions. */
export function cachedAt(place: Place): usize {
  const position = place.position;
  return pageAt(place.pages, position / KV_PAGE_POSITIONS) * KV_PAGE_POSITIONS + <usize>(position % KV_PAGE_POSITIONS);
}

/** Where the context's first row of this walk stands. */
export function firstPosition(place: Place): i32 {
  return load<i32>(place.pages - CONTEXT_HEAD_BYTES);
}

/** The number of the state that holds all before that position. */
export function stateFrom(place: Place): usize {
  return <usize>load<i32>(place.pages - CONTEXT_HEAD_BYTES + 4);
}

/** The number of the state that holds all rows in the end. */
export function stateTo(place: Place): usize {
  return <usize>load<i32>(place.pages - CONTEXT_HEAD_BYTES + 8);
}
