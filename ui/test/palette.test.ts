import { expect, it } from "vitest";
import { MOST, commandsOfRows, ids, matching, pageCommands, savedViews, searches, services, times, type Command } from "../src/lib/palette";
import { t } from "../src/strings";

const RANGE = { from: "-1h", to: "now" };
const command = (id: string, label: string, rest: Partial<Command> = {}): Command => ({ id, section: "pages", label, ...rest });
const shown = (commands: Command[], text: string) => matching(commands, text).map(({ section, commands: of }) => [section, ...of.map(({ id }) => id)]);

it("what begins with the word comes before what has it at a word, and that before what has it inside", () => {
  const commands = [command("inside", "blogs"), command("word", "my logs"), command("begin", "logs"), command("none", "traces")];
  expect(shown(commands, "LOG")).toEqual([["pages", "begin", "word", "inside"]]);
});

it("every word is found, in the label or in what is said beside it", () => {
  const commands = [command("both", "checkout", { note: "traces" }), command("one", "checkout", { note: "logs" }), command("other", "payment", { note: "traces" })];
  expect(shown(commands, "trac check")).toEqual([["pages", "both"]]);
  expect(shown(commands, "checkout payment")).toEqual([]);
});

it("the section with the best one is first; with nothing typed they are in their order", () => {
  const commands = [command("a", "Services"), command("b", "the service", { section: "views" }), command("c", "service-a", { section: "services" }), command("d", "aservice", { section: "times" })];
  expect(shown(commands, "service-a").map(([section]) => section)).toEqual(["services"]);
  expect(shown(commands, "the")).toEqual([["views", "b"]]);
  expect(shown(commands, "aserv")).toEqual([["times", "d"]]);
  expect(shown(commands, "").map(([section]) => section)).toEqual(["pages", "services", "views", "times"]);
});

it("what is typed can always be searched for, last where something has the name, and however much there is", () => {
  const many = Array.from({ length: 500 }, (_, at) => command(`p${at}`, `timeout ${at}`));
  const all = [...many, ...searches("timeout", RANGE)];
  const found = matching(all, "timeout");
  expect(found.map(({ section, commands }) => [section, commands.length])).toEqual([["pages", MOST], ["search", 1]]);
  expect(shown([...many, ...searches("no such thing", RANGE)], "no such thing")).toEqual([["search", "search"]]);
  expect(searches("  ", RANGE)).toEqual([]);
  expect(searches(" a b ", RANGE)[0]!.to).toBe("/logs?q=a+b&from=-1h");
});

it("an id leads to what it is of, and comes first", () => {
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  expect(ids(` ${trace.toUpperCase()} `, RANGE)[0]).toMatchObject({ note: trace, to: `/traces/${trace}` });
  expect(ids(`http://logs.example/traces/${trace}?show=flame`, RANGE)[0]!.to).toBe(`/traces/${trace}`);
  expect(ids("default.17.42", RANGE)[0]).toMatchObject({ id: "record", to: "/logs?from=-1h&record=default.17.42" });
  expect([...ids("cafe", RANGE), ...ids("dead.beef", RANGE), ...ids("10.0.0.1", RANGE), ...ids("0".repeat(32), RANGE)]).toEqual([]);
  const commands = [command("a", trace), ...ids(trace, RANGE), ...searches(trace, RANGE)];
  expect(shown(commands, trace).map(([section]) => section)).toEqual(["ids", "pages", "search"]);
});

it("a service leads to its logs, and to its errors, traces and place on the map once it is asked for", () => {
  const names = Array.from({ length: 20 }, (_, at) => `s${at}`);
  expect(services(names, RANGE, false).map(({ id }) => id)).toEqual(["s0", "s1", "s2", "s3", "s4", "s5"].map((name) => `service logs ${name}`));
  expect(services(["a b"], RANGE, true).map(({ note, to }) => [note, to])).toEqual([
    ["logs", '/logs?q=service.name%3A%22a+b%22&from=-1h'],
    ["errors", '/logs?q=service.name%3A%22a+b%22+and+%28severity%3Aerror+or+severity%3Afatal%29&from=-1h'],
    ["traces", "/traces?from=-1h&service=a+b"],
    ["on the map", "/services?from=-1h&show=map&service=a+b"],
  ]);
});

it("saved views lead to pages of the console only", () => {
  const view = { id: "1", name: "mine", description: "of mine", owner: "eve", own: true, created: "", changed: "" };
  expect(savedViews([{ ...view, address: "/logs?q=a" }, { ...view, id: "2", address: "//evil.example" }], true)).toEqual([
    { id: "view 1", section: "views", label: "mine", note: "logs · of mine", to: "/logs?q=a" },
  ]);
});

it("another time keeps the page and what it shows", () => {
  const at = (pathname: string, search: string) => times({ pathname, search }).map(({ to }) => to);
  expect(at("/logs", "?q=a&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z")).toEqual(expect.arrayContaining(["/logs?q=a&from=-1h", "/logs?q=a"]));
  expect(at("/", "")).toEqual(expect.arrayContaining(["/", "/overview?from=-1h"]));
  expect(at("/people", "")).toEqual([]);
  expect(at("/traces/0af7", "")).toEqual([]);
});

it("a page's list of keys is what it can be told to do", () => {
  const ran: string[] = [];
  const actions = Object.fromEntries(["/", "j", "k", "[", "]", "s", "m", "c", "x"].map((key) => [key, () => ran.push(key)]));
  const commands = pageCommands(commandsOfRows([["/", "search"], ["j  k", "next, previous"], ["[  ]", "older, newer"], ["s  m  c", "one meaning only"], ["q", "nobody does that"]], actions));
  expect(commands.map(({ label, keys }) => [label, keys])).toEqual([["Search", "/"], ["Older", "["], ["Newer", "]"]]);
  commands[2]!.run!();
  expect(ran).toEqual(["]"]);
});

it("no row of several keys of the console is left out of the palette for want of meanings", () => {
  const lists = [t.keys.rows, t.traces.keys, t.trace.keys, t.compare.keys, t.flame.keys, t.services.keys, t.sql.keys, t.differences.keys, t.patterns.keys, t.overview.keys, t.sources.keys];
  const several = lists.flat().filter(([keys]) => /^\S(?:\s+\S)+$/.test(keys) && !/[←→↑↓…]/.test(keys));
  expect(several.length).toBeGreaterThan(5);
  for (const [keys, meaning] of several) expect(meaning.split(", ").length, `${keys}: ${meaning}`).toBe(keys.split(/\s+/).length);
});
