import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api } from "../../api/client";
import { retry, useSavedViews } from "../../api/queries";
import { useSession } from "../../api/session";
import { commandsOnScreen, press } from "../../lib/keys";
import { ids, pageCommands, pages, rangeHere, savedViews, searches, services, times, type Command } from "../../lib/palette";
import { THEMES, setTheme } from "../../lib/theme";
import { beginTour } from "../../lib/tour";
import { t } from "../../strings";

/** More of them than one would choose from by name. */
const SERVICES = 500;
/** Who calls the palette again at once need not ask again. */
const FRESH_MS = 10_000;

/** All that there is to choose from where one is now, and what of it could not be found out. */
export function useCommands(text: string): { commands: Command[]; faults: string[] } {
  // Of when it was called: what is behind it does not move meanwhile.
  const [range] = useState(rangeHere);
  const [onScreen] = useState(commandsOnScreen);
  const { data: session } = useSession();
  const sees = session?.may.includes("list_views") === true;
  const window_ = { q: "", ...range };
  const options = { retry, staleTime: FRESH_MS, structuralSharing: false } as const;
  const ofLogs = useQuery({ ...options, queryKey: ["palette", "logs", range], queryFn: ({ signal }) => api.values("service.name", window_, SERVICES, signal) });
  const ofSpans = useQuery({ ...options, queryKey: ["palette", "spans", range], queryFn: ({ signal }) => api.spanValues("service.name", window_, SERVICES, signal) });
  const views = useSavedViews(sees);
  const names = useMemo(() => {
    const values = [...(ofLogs.data?.values ?? []), ...(ofSpans.data?.values ?? [])].map(({ value }) => value);
    return [...new Set(values.filter((value) => typeof value === "string"))];
  }, [ofLogs.data, ofSpans.data]);
  const commands = useMemo(() => {
    const isAsked = text.trim() !== "";
    return [
      ...ids(text, range), ...pages(session), ...services(names, range, isAsked), ...savedViews(views.data?.views ?? [], isAsked), ...pageCommands(onScreen),
      ...times(window.location), ...ofConsole(sees && onScreen.length > 0), ...searches(text, range),
    ];
  }, [text, session, names, views.data, onScreen, range, sees]);
  const faults = [
    ...(ofLogs.error && ofSpans.error ? [t.palette.noServices] : []), ...(views.error ? [t.palette.noViews] : []),
  ];
  return { commands, faults };
}

/** Beside the console there is no button for saved views. */
function ofConsole(hasViews: boolean): Command[] {
  const themes = THEMES.map((theme): Command => ({ id: `theme ${theme}`, section: "console", label: t.theme[theme], run: () => setTheme(theme) }));
  const views: Command = { id: "saved", section: "console", label: t.views.title, keys: "v", run: () => press(".views-button") };
  return [...(hasViews ? [views] : []), ...themes, { id: "tour", section: "console", label: t.tour.ask, run: beginTour }];
}
