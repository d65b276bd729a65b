/** What the list of logs shows, as its address says. */
import { useViewOf, type Codec } from "./place";
import { formatView, isStep, parseView, type View } from "./url";

const LOGS: Codec<View> = { parse: parseView, format: formatView, isStep };

export function useView(): [View, (patch: Partial<View>) => void] {
  return useViewOf(LOGS);
}
