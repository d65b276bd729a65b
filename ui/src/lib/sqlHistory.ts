/** Statements that were run in this browser, the latest first. They stay in it: they are forgotten when somebody else signs in, or when the reader says so. */
const KEY = "logkeep.sql.history";
export const MOST_STATEMENTS = 30;
/** Characters; a longer statement is run and not kept. */
const MOST_TEXT = 8_192;

type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export function history(storage: Kept): string[] {
  try {
    const kept: unknown = JSON.parse(storage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one): one is string => typeof one === "string").slice(0, MOST_STATEMENTS) : [];
  } catch {
    // The browser keeps nothing for this page, or something else has written there.
    return [];
  }
}

/** With this statement as the latest. */
export function remember(storage: Kept, sql: string): string[] {
  const before = history(storage);
  if (sql.length > MOST_TEXT) return before;
  const kept = [sql, ...before.filter((one) => one !== sql)].slice(0, MOST_STATEMENTS);
  try {
    storage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // There is no room: it is in the list until the page is left.
  }
  return kept;
}

export function forget(storage: Kept): void {
  try {
    storage.removeItem(KEY);
  } catch {
    // Nothing is kept where nothing may be.
  }
}
