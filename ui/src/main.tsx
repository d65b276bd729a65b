import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { retry } from "./api/queries";
import { Gate } from "./components/Gate";
import { later, laterPage } from "./components/later";
import { OverviewPage } from "./components/overview/OverviewPage";
import { Palette, PaletteKey } from "./components/palette/PaletteKey";
import { loadAhead } from "./lib/ahead";
import { movedTo } from "./lib/overview";
import { usePath } from "./lib/place";
import { applyTheme } from "./lib/theme";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/top.css";
import "./styles/list.css";
import "./styles/panel.css";
import "./styles/states.css";
import "./styles/people.css";
import "./styles/traces.css";
import "./styles/services.css";
import "./styles/overview.css";
import "./styles/patterns.css";

applyTheme();

const moved = movedTo(window.location.pathname, window.location.search);
if (moved !== null) window.history.replaceState(null, "", moved + window.location.hash);

const client = new QueryClient({
  // A server on this machine is reachable although the browser says that it is offline.
  defaultOptions: { queries: { retry, refetchOnWindowFocus: false, networkMode: "always" } },
});

const App = laterPage(() => import("./App").then((file) => file.App));
const TracePage = laterPage(() => import("./components/traces/TracePage").then((file) => file.TracePage));
const TracesPage = laterPage(() => import("./components/traces/TracesPage").then((file) => file.TracesPage));
const ServicesPage = laterPage(() => import("./components/services/ServicesPage").then((file) => file.ServicesPage));
const PatternsPage = laterPage(() => import("./components/patterns/PatternsPage").then((file) => file.PatternsPage));
const SourcesPage = laterPage(() => import("./components/sources/SourcesPage").then((file) => file.SourcesPage));
const AccountPage = laterPage(() => import("./components/people/AccountPage").then((file) => file.AccountPage));
const ApprovalsPage = laterPage(() => import("./components/people/ApprovalsPage").then((file) => file.ApprovalsPage));
const AuditPage = laterPage(() => import("./components/people/AuditPage").then((file) => file.AuditPage));
const PeoplePage = laterPage(() => import("./components/people/PeoplePage").then((file) => file.PeoplePage));
const CompareLogsPage = laterPage(() => import("./components/compare/ComparePage").then((file) => file.ComparePage));
const ComparePage = laterPage(() => import("./components/traces/ComparePage").then((file) => file.ComparePage));
const Tour = later(() => import("./components/tour/Tour").then((file) => file.Tour));
const SqlPage = laterPage(() => import("./components/sql/SqlPage").then((file) => file.SqlPage));

function Here() {
  const path = usePath();
  const compared = /^\/traces\/([^/]+)\/compare\/([^/]+)$/.exec(path);
  if (compared) return <ComparePage key={path} a={compared[1]!} b={compared[2]!} />;
  const trace = /^\/traces\/([^/]+)$/.exec(path)?.[1];
  if (trace !== undefined) return <TracePage key={trace} id={trace} />;
  switch (path) {
    case "/traces": return <TracesPage />;
    case "/patterns": return <PatternsPage />;
    case "/compare": return <CompareLogsPage />;
    case "/services": return <ServicesPage />;
    case "/sources": return <SourcesPage />;
    case "/sql": return <SqlPage />;
    case "/account": return <AccountPage />;
    case "/audit": return <AuditPage />;
    case "/approvals": return <ApprovalsPage />;
    case "/people": return <PeoplePage />;
    case "/logs": return <App />;
    default: return <OverviewPage />;
  }
}

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <Gate>
          <Here />
          <Tour />
          <PaletteKey />
        </Gate>
      </QueryClientProvider>
    </StrictMode>,
  );
}

// The overview comes first; what one goes to from there is loaded while nothing else is to be done.
loadAhead([App, TracePage, TracesPage, ServicesPage, PatternsPage, SourcesPage, Palette].map((page) => page.load));
