// `oidc-provider`, bent until it behaves like Okta's custom authorization server where that hurts clients:
// exact redirect URIs with their port, offline_access without consent, fat ID tokens with auth_time, rotation, PKCE.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider, { interactionPolicy } from 'oidc-provider';
import { Storage } from './storage.mjs';

const HOUR = 3600;
const ROUTES = {
  authorization: '/v1/authorize',
  code_verification: '/activate',
  device_authorization: '/v1/device/authorize',
  end_session: '/v1/logout',
  introspection: '/v1/introspect',
  jwks: '/v1/keys',
  revocation: '/v1/revoke',
  token: '/v1/token',
  userinfo: '/v1/userinfo',
};

export class Okta {
  storage = new Storage();
  lifetimes = { idToken: HOUR, accessToken: HOUR, refreshToken: 90 * 24 * HOUR, deviceCode: 600 };
  /** What happened, for tests: `{ what, sub, at }`, newest last. */
  events = [];
  #config;
  #directory;
  #keys = [newKey()];

  constructor(config, directory) {
    this.#config = config;
    this.#directory = directory;
    this.issuer = config.issuer;
    this.mount = new URL(config.issuer).pathname;
    this.#build();
  }

  /** A new signing key. The old one stays published, unless this is an emergency. */
  rotate({ emergency = false } = {}) {
    this.#keys = [newKey(), ...(emergency ? [] : this.#keys)];
    this.#build();
    return this.#keys[0].kid;
  }

  /** The private key in use: what a thief of the provider would hold. */
  get signingKey() {
    return this.#keys[0];
  }

  handle(request, response) {
    // The library finds out where it is mounted by comparing these two, so both need the same ending.
    request.url = offlineWithoutConsent(request.url.slice(this.mount.length));
    request.originalUrl = this.mount + request.url;
    return this.provider.callback()(request, response);
  }

  #build() {
    this.provider = new Provider(this.#config.issuer, this.#settings());
    this.provider.on('grant.success', (ctx) => {
      const { grant_type: what } = ctx.oidc.params;
      this.events.push({ what, sub: ctx.oidc.account?.accountId, at: Math.floor(Date.now() / 1000) });
    });
    this.provider.on('server_error', (ctx, error) => console.error('provider error', error));
  }

  #settings() {
    return {
      adapter: this.storage.adapter(),
      clients: [this.#client()],
      jwks: { keys: this.#keys },
      cookies: { keys: this.#config.cookie_keys },
      routes: ROUTES,
      scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
      claims: {
        openid: ['sub', 'department', 'employeeType'],
        profile: ['name', 'preferred_username'],
        email: ['email'],
        groups: ['groups'],
      },
      conformIdTokenClaims: false,
      pkce: { required: () => true },
      rotateRefreshToken: true,
      issueRefreshToken: (_ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
      expiresWithSession: () => false,
      findAccount: (_ctx, id) => this.#account(id),
      loadExistingGrant: wholeGrant,
      interactions: { url: (_ctx, interaction) => `/signin/${interaction.uid}`, policy: noConsent() },
      features: {
        devInteractions: { enabled: false },
        deviceFlow: { enabled: true, userCodeInputSource: codePage, userCodeConfirmSource: confirmPage, successSource: donePage },
        introspection: { enabled: true },
        revocation: { enabled: true },
      },
      renderError: (ctx, out) => {
        ctx.type = 'html';
        ctx.body = errorPage(out);
      },
      ttl: {
        AccessToken: () => this.lifetimes.accessToken,
        AuthorizationCode: 60,
        DeviceCode: () => this.lifetimes.deviceCode,
        Grant: this.lifetimes.refreshToken,
        IdToken: () => this.lifetimes.idToken,
        Interaction: HOUR,
        RefreshToken: () => this.lifetimes.refreshToken,
        Session: 2 * HOUR,
      },
    };
  }

  /** As a `web` client the library matches redirect URIs exactly; for `native` it would ignore the port, as Okta does not. */
  #client() {
    return {
      client_id: this.#config.client_id,
      application_type: 'web',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
      redirect_uris: this.#config.redirect_uris,
      require_auth_time: true,
    };
  }

  #account(id) {
    const person = this.#directory.byId(id);
    if (!person?.enabled) return undefined;
    const { login, name, email, department, groups, employee_type: employeeType } = person;
    const claims = { sub: id, name, email, department, employeeType, groups, preferred_username: login };
    return { accountId: id, claims: async () => claims };
  }
}

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

/** The library drops offline_access from a request without `prompt=consent`; Okta keeps it. */
function offlineWithoutConsent(url) {
  const asked = new URL(url, 'https://stage.invalid');
  const prompts = (asked.searchParams.get('prompt') ?? '').split(' ').filter(Boolean);
  if (asked.pathname !== ROUTES.authorization || prompts.includes('none')) return url;
  asked.searchParams.set('prompt', [...new Set([...prompts, 'consent'])].join(' '));
  return asked.pathname + asked.search;
}

function noConsent() {
  const policy = interactionPolicy.base();
  policy.get('consent').checks.clear();
  return policy;
}

async function wholeGrant(ctx) {
  const { client, session, provider } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid offline_access profile email groups');
  await grant.save();
  return grant;
}

/** The pages of the device code: the library's form with a page around it. The ids are what tests look for. */
function codePage(ctx, form, _out, err) {
  const problem = err ? '<p id="problem">That code is not good. Try again.</p>' : '';
  ctx.body = devicePage('Type the code from your computer', `${problem}${form}<button id="next" form="op.deviceInputForm">Next</button>`);
}

function confirmPage(ctx, form, client, _info, code) {
  const buttons = `<button id="allow" form="op.deviceConfirmForm">Allow</button>
<button id="deny" form="op.deviceConfirmForm" name="abort" value="yes">Deny</button>`;
  ctx.body = devicePage(`Does the other screen show ${code}?`, `${form}${buttons}`);
}

function donePage(ctx) {
  ctx.body = devicePage('Done', '<p id="done">You can close this page.</p>');
}

function devicePage(title, inner) {
  return `<!doctype html><meta charset="utf-8"><title>${title}</title>
<body style="font:16px system-ui;max-width:32rem;margin:4rem auto"><h1>${title}</h1>${inner}</body>`;
}

function errorPage({ error, error_description: description }) {
  const safe = (text) => String(text ?? '').replace(/[^\w .,:;/-]/g, ' ');
  return `<!doctype html><meta charset="utf-8"><title>400 Bad Request</title>
<body style="font:16px system-ui;max-width:32rem;margin:4rem auto"><h1>400</h1>
<p>Your request resulted in an error.</p><p id="error"><b>${safe(error)}</b>: ${safe(description)}</p></body>`;
}
