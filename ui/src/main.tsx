import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { retry } from "./api/queries";
import { Gate } from "./components/Gate";
import { AccountPage } from "./components/people/AccountPage";
import { ApprovalsPage } from "./components/people/ApprovalsPage";
import { AuditPage } from "./components/people/AuditPage";
import { PeoplePage } from "./components/people/PeoplePage";
import { applyTheme } from "./lib/theme";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/top.css";
import "./styles/list.css";
import "./styles/panel.css";
import "./styles/states.css";
import "./styles/people.css";

applyTheme();

const client = new QueryClient({
  // A server on this machine is reachable although the browser says that it is offline.
  defaultOptions: { queries: { retry, refetchOnWindowFocus: false, networkMode: "always" } },
});

/** Pages beside the console are few and lead away from it: each is loaded by its own address. */
function Here() {
  if (location.pathname === "/account") return <AccountPage />;
  if (location.pathname === "/audit") return <AuditPage />;
  if (location.pathname === "/approvals") return <ApprovalsPage />;
  return location.pathname === "/people" ? <PeoplePage /> : <App />;
}

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <Gate>
          <Here />
        </Gate>
      </QueryClientProvider>
    </StrictMode>,
  );
}
