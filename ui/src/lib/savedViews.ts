/** Views that were saved for everybody of a tenant: which there are, and what of where one is belongs to one. Nothing here draws. */
import type { SavedView } from "../api/types";

/** What is open, and not what is looked for. */
const PASSING = ["record", "tail"];

/** Where one is, as it is saved: every page writes all that it shows into its address. */
export function addressToSave({ pathname, search }: { pathname: string; search: string }): string {
  const params = new URLSearchParams(search);
  PASSING.forEach((name) => params.delete(name));
  const text = params.toString();
  return text ? `${pathname}?${text}` : pathname;
}

/** Pages that can be saved, as the server has them too. */
const PAGES = /^\/(?:overview|logs|patterns|compare|traces(?:\/[A-Za-z0-9/-]+)?|services|sources|sql)?(?:\?|$)/;

/** The server takes no others; a link to anything else is none, whatever it answers. */
export function isOwnPage(address: string): boolean {
  return PAGES.test(address);
}

/** Those with all of these words in name, description or owner. */
export function found(views: readonly SavedView[], text: string): SavedView[] {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return views.filter(({ name, description, owner }) => {
    const all = `${name} ${description} ${owner}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

/** Which page it is of, for a mark beside its name. */
export function pageOf(address: string): string {
  return /^\/([a-z]*)/.exec(address)?.[1] || "overview";
}
