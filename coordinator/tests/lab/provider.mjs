// An OpenID provider for a test: node provider.mjs PORT KEY.pem REDIRECT. Programs get tokens by client credentials, for
// whom they ask (`resource`); people log in on its development pages, with any name. The key is the test's, so that the test
// can sign what a provider never would.
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const [port, keyFile, redirect] = process.argv.slice(2);
const key = createPrivateKey(readFileSync(keyFile)).export({ format: 'jwk' });
const roles = { siem: ['garita-responder'], watcher: ['garita-viewer'], stranger: ['admin'] };
const program = (client_id) => ({
  client_id,
  client_secret: 'secret',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [{ ...key, kid: 'k1', alg: 'ES256', use: 'sig' }] },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  clients: [
    ...Object.keys(roles).map(program),
    {
      client_id: 'garita-coordinator',
      token_endpoint_auth_method: 'none',
      redirect_uris: [redirect],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
  ],
  conformIdTokenClaims: false,
  claims: { openid: ['sub', 'roles', 'sites'] },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, roles: ['garita-analyst'], sites: 'north' }),
  }),
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        scope: 'api',
        audience: resource === 'urn:garita' ? 'garita-coordinator' : resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 60,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  extraTokenClaims: (_, token) => ({ roles: roles[token.clientId], sites: 'north' }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('serving'));
