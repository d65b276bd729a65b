/** Which rows of a long list are in the document. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, type RefObject } from "react";

/**
 * Rows of one height, by their places. They are not named by what is in them: a list whose names come from a function that is another one at each
 * rendering is laid out anew, whole, whenever one scrolls.
 */
export function useRows(scroller: RefObject<HTMLElement | null>, count: number, rowPx: number, overscan: number) {
  const virtual = useVirtualizer({ count, getScrollElement: () => scroller.current, estimateSize: () => rowPx, overscan });
  useEffect(() => { virtual.measure(); }, [rowPx, virtual]);
  return virtual;
}
