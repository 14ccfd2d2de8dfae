// Where the rows of a walk stand: each at a position of its own context, whose keys and values lie in pages.
//
//   places: a record a row:  | position i32 | address of the context's pages |
//   pages:  i32, one for each KV_PAGE_POSITIONS positions: the number of a page in the cache
//
// So rows of one walk may belong to different contexts, and contexts that begin alike may list the same pages.
import { KV_PAGE_POSITIONS, PLACE_BYTES } from "./abi";

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
