import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode, Suspense, lazy } from "react";
import { createRoot } from "react-dom/client";
import { retry } from "./api/queries";
import { Gate } from "./components/Gate";
import { OverviewPage } from "./components/overview/OverviewPage";
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

/** The overview comes first; what every other page is made of is loaded when one goes there. */
const App = lazy(() => import("./App").then((file) => ({ default: file.App })));
const AccountPage = lazy(() => import("./components/people/AccountPage").then((file) => ({ default: file.AccountPage })));
const ApprovalsPage = lazy(() => import("./components/people/ApprovalsPage").then((file) => ({ default: file.ApprovalsPage })));
const AuditPage = lazy(() => import("./components/people/AuditPage").then((file) => ({ default: file.AuditPage })));
const PeoplePage = lazy(() => import("./components/people/PeoplePage").then((file) => ({ default: file.PeoplePage })));
const PatternsPage = lazy(() => import("./components/patterns/PatternsPage").then((file) => ({ default: file.PatternsPage })));
const CompareLogsPage = lazy(() => import("./components/compare/ComparePage").then((file) => ({ default: file.ComparePage })));
const TracesPage = lazy(() => import("./components/traces/TracesPage").then((file) => ({ default: file.TracesPage })));
const TracePage = lazy(() => import("./components/traces/TracePage").then((file) => ({ default: file.TracePage })));
const ComparePage = lazy(() => import("./components/traces/ComparePage").then((file) => ({ default: file.ComparePage })));
const ServicesPage = lazy(() => import("./components/services/ServicesPage").then((file) => ({ default: file.ServicesPage })));
const Tour = lazy(() => import("./components/tour/Tour"));
const SourcesPage = lazy(() => import("./components/sources/SourcesPage").then((file) => ({ default: file.SourcesPage })));
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
