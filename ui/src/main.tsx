import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode, Suspense, lazy } from "react";
import { createRoot } from "react-dom/client";
import { retry } from "./api/queries";
import { Gate } from "./components/Gate";
import { OverviewPage } from "./components/overview/OverviewPage";
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

/** The overview comes first; what every other page is made of is loaded once that is there, or when one goes there before. */
const files = {
  logs: () => import("./App").then((file) => ({ default: file.App })),
  trace: () => import("./components/traces/TracePage").then((file) => ({ default: file.TracePage })),
  traces: () => import("./components/traces/TracesPage").then((file) => ({ default: file.TracesPage })),
  services: () => import("./components/services/ServicesPage").then((file) => ({ default: file.ServicesPage })),
  patterns: () => import("./components/patterns/PatternsPage").then((file) => ({ default: file.PatternsPage })),
  sources: () => import("./components/sources/SourcesPage").then((file) => ({ default: file.SourcesPage })),
};
const App = lazy(files.logs);
const TracePage = lazy(files.trace);
const TracesPage = lazy(files.traces);
const ServicesPage = lazy(files.services);
const PatternsPage = lazy(files.patterns);
const SourcesPage = lazy(files.sources);
const AccountPage = lazy(() => import("./components/people/AccountPage").then((file) => ({ default: file.AccountPage })));
const ApprovalsPage = lazy(() => import("./components/people/ApprovalsPage").then((file) => ({ default: file.ApprovalsPage })));
const AuditPage = lazy(() => import("./components/people/AuditPage").then((file) => ({ default: file.AuditPage })));
const PeoplePage = lazy(() => import("./components/people/PeoplePage").then((file) => ({ default: file.PeoplePage })));
const CompareLogsPage = lazy(() => import("./components/compare/ComparePage").then((file) => ({ default: file.ComparePage })));
const ComparePage = lazy(() => import("./components/traces/ComparePage").then((file) => ({ default: file.ComparePage })));
const Tour = lazy(() => import("./components/tour/Tour"));
const SqlPage = lazy(() => import("./components/sql/SqlPage").then((file) => ({ default: file.SqlPage })));

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
          <Suspense>
            <Here />
          </Suspense>
          <Suspense>
            <Tour />
          </Suspense>
        </Gate>
      </QueryClientProvider>
    </StrictMode>,
  );
}

loadAhead(Object.values(files));
