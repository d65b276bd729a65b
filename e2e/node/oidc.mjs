// A provider of OpenID Connect on a free port. Its first line of output is where; the first line of input is where people come back to.
// It takes any password; whoever begins with `dev` is in the group `devs`.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const [id, secret] = process.argv.slice(2);
const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
console.log(issuer);
const [redirect] = await new Promise((read) => createInterface({ input: process.stdin }).once("line", (line) => read([line])));
const provider = new Provider(issuer, {
  clients: [{ client_id: id, client_secret: secret, redirect_uris: [redirect], grant_types: ["authorization_code"], response_types: ["code"] }],
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
  // Groups are wanted in the ID token, and not only where one would have to ask for them.
  conformIdTokenClaims: false,
  cookies: { keys: ["of this test alone"] },
  features: { devInteractions: { enabled: true } },
  pkce: { required: () => true },
  findAccount: (_, login) => ({
    accountId: login,
    claims: () => ({ sub: login, preferred_username: login, groups: login.startsWith("dev") ? ["devs"] : [] }),
  }),
});
server.on("request", provider.callback());
console.log("ready");
process.stdin.on("end", () => process.exit(0));
