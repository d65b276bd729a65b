/**
 * The browser test of the console, against any server: `LOGKEEP_URL=http://127.0.0.1:7280 npm run e2e`. Without that
 * it starts the mock, and then also shows the states that a healthy server does not get into. With `LOGKEEP_SET_UP_LINK` it
 * shows how one signs in, and only that; with `LOGKEEP_PROVIDER` as well, how one does at this provider of OpenID Connect.
 */
import { startMock } from "../mock/server.mjs";
import { launch, runAll } from "./harness.mjs";
import { states } from "./states.mjs";
import { journeys } from "./journeys.mjs";
import { keyboardJourneys } from "./keyboard.mjs";
import { tourJourneys, tourStates } from "./tour.mjs";
import { accountJourneys } from "./account.mjs";
import { approvalJourneys } from "./approvals.mjs";
import { auditJourneys } from "./audit.mjs";
import { overviewJourneys, overviewStates } from "./overview.mjs";
import { paletteJourneys } from "./palette.mjs";
import { patternJourneys, patternPeople, patternStates } from "./patterns.mjs";
import { columnJourneys } from "./columns.mjs";
import { compareJourneys } from "./compare.mjs";
import { exportJourneys, exportStates } from "./exporting.mjs";
import { groupJourneys } from "./groups.mjs";
import { oidc } from "./oidc.mjs";
import { peopleJourneys } from "./people.mjs";
import { proofJourneys, proofStates } from "./proof.mjs";
import { serviceJourneys, serviceStates } from "./services.mjs";
import { signIn } from "./signin.mjs";
import { sourceJourneys, sourceStates } from "./sources.mjs";
import { sqlJourneys } from "./sql.mjs";
import { traceJourneys, traceStates } from "./traces.mjs";
import { traceViewJourneys, traceViewStates } from "./traceviews.mjs";
import { viewJourneys } from "./views.mjs";

const mock = process.env.LOGKEEP_URL ? null : await startMock({ count: 3000, big: 3000 });
const url = (process.env.LOGKEEP_URL ?? mock.url).replace(/\/$/, "");
const browser = await launch();
const only = process.argv[2];
const link = process.env.LOGKEEP_SET_UP_LINK;
const provider = process.env.LOGKEEP_PROVIDER;
const asked = provider ? oidc : [...signIn, ...accountJourneys, ...peopleJourneys, ...patternPeople, ...auditJourneys, ...approvalJourneys];
// A newcomer comes while there is little: what is theirs is on the first page, and Tab soon leads through all of it.
const all = link ? asked : [...keyboardJourneys, ...overviewJourneys, ...journeys, ...columnJourneys, ...groupJourneys, ...compareJourneys, ...viewJourneys, ...paletteJourneys, ...sqlJourneys, ...exportJourneys, ...traceJourneys, ...traceViewJourneys, ...serviceJourneys, ...sourceJourneys, ...patternJourneys, ...tourJourneys, ...(mock ? [...overviewStates, ...traceStates, ...traceViewStates, ...serviceStates, ...sourceStates, ...patternStates, ...proofStates, ...exportStates, ...states, ...tourStates] : [...proofJourneys])];
const tests = all.filter(([name]) => !only || name.includes(only));
// One word that no other record holds, so that the test counts only what it sent.
const token = `zq${Date.now().toString(36)}`;
try {
  const { passed, failed } = await runAll(tests, { browser, url, token, link, provider });
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
} finally {
  await browser.close();
  mock?.stop();
}
