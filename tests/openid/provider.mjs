// A real OpenID provider for the tests: whoever comes is signed in as the account that the browser names in `login_hint`, else as `eva`.
// Arguments: a JSON file with {port, key, certificate (PEM files), redirect_uris, clients}. Prints one line when it listens.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const wanted = JSON.parse(readFileSync(process.argv[2], "utf8"));
const accounts = JSON.parse(readFileSync(wanted.accounts, "utf8"));
const issuer = `https://localhost:${wanted.port}`;
const provider = new Provider(issuer, {
  clients: wanted.clients,
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"], email: ["email", "email_verified"] },
  scopes: ["openid", "profile", "email"],
  conformIdTokenClaims: wanted.lean ?? false,
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  cookies: { keys: ["for tests alone"] },
  interactions: { url: (_, interaction) => `/sign-in/${interaction.uid}` },
  async findAccount(_, id) {
    const known = JSON.parse(readFileSync(wanted.accounts, "utf8"))[id];
    return known && { accountId: id, claims: () => ({ sub: id, ...known }) };
  },
});
provider.use(async (context, next) => {
  if (!context.path.startsWith("/sign-in/")) return next();
  const { prompt, params } = await provider.interactionDetails(context.req, context.res);
  const account = readFileSync(wanted.who, "utf8").trim();
  let result = { login: { accountId: account } };
  if (account === "nobody") result = { error: "access_denied", error_description: "not today" };
  else if (prompt.name === "consent") {
    const grant = new provider.Grant({ accountId: account, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    result = { consent: { grantId: await grant.save() } };
  }
  await provider.interactionFinished(context.req, context.res, result, { mergeWithLastSubmission: true });
});
const server = createServer({ key: readFileSync(wanted.key), cert: readFileSync(wanted.certificate) }, provider.callback());
server.listen(wanted.port, "127.0.0.1", () => console.log(`listening ${Object.keys(accounts).length}`));
