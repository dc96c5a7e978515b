// Is the stand-in as strict as Okta? Everything a client could get wrong is tried here with a browser of a few lines.
// Plain HTTP on loopback: TLS is the stage's business, and tried there.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { Directory } from './directory.mjs';
import { front } from './front.mjs';
import { Okta } from './okta.mjs';

const CALLBACK = 'http://127.0.0.1:8250/callback';
const ANA = { id: '00uana', login: 'ana', password: 'pw', name: 'Ana', groups: ['Everyone', 'data-science'], department: 'Data Science' };
const server = createServer();
let okta;
let directory;

before(async () => {
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  directory = new Directory([ANA]);
  const issuer = `http://127.0.0.1:${server.address().port}/oauth2/default`;
  okta = new Okta({ issuer, client_id: 'c', cookie_keys: ['k'], redirect_uris: [CALLBACK] }, directory);
  server.on('request', front(okta, directory));
});
after(() => server.close());

/** A browser: keeps cookies, follows nothing by itself. */
function browser() {
  const jar = new Map();
  return async (url, body) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const form = body && { method: 'POST', body: new URLSearchParams(body) };
    const response = await fetch(url, { redirect: 'manual', headers: { cookie }, ...form });
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0].split('=');
      jar.set(name, value);
    }
    const location = response.headers.get('location');
    return { status: response.status, next: location && new URL(location, url).href, text: await response.text() };
  };
}

function authorize(changes = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const words = {
    client_id: 'c', response_type: 'code', scope: 'openid groups offline_access', redirect_uri: CALLBACK, state: 's', nonce: 'n',
    code_challenge: challenge, code_challenge_method: 'S256', ...changes,
  };
  const query = new URLSearchParams(Object.entries(words).filter(([, value]) => value !== undefined));
  return { verifier, url: `${okta.issuer}/v1/authorize?${query}` };
}

async function token(words) {
  const response = await fetch(`${okta.issuer}/v1/token`, { method: 'POST', body: new URLSearchParams({ client_id: 'c', ...words }) });
  return response.json();
}

const refresh = (tokens, more = {}) => token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token, ...more });

async function signIn(go = browser()) {
  const { verifier, url } = authorize();
  const page = await go(url);
  const sent = page.next.includes('/signin/') ? await go(page.next, { username: 'ana', password: 'pw' }) : page;
  const back = sent.next.startsWith(CALLBACK) ? sent : await go(sent.next);
  const code = new URL(back.next).searchParams.get('code');
  return token({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier });
}

const part = (tokens, index) => JSON.parse(Buffer.from(tokens.id_token.split('.')[index], 'base64url'));
const claims = (tokens) => part(tokens, 1);

test('the id token is fat, dated and carries the nonce; offline access needs no consent', async () => {
  const tokens = await signIn();
  const { sub, groups, department, nonce, auth_time, exp, iat } = claims(tokens);
  assert.deepEqual({ sub, groups, department, nonce }, { sub: '00uana', groups: ANA.groups, department: 'Data Science', nonce: 'n' });
  assert.ok(tokens.refresh_token && Number.isInteger(auth_time));
  assert.equal(exp - iat, 3600);
});

test('a redirect to another port is an error page and never comes back', async () => {
  const answer = await browser()(authorize({ redirect_uri: 'http://127.0.0.1:8251/callback' }).url);
  assert.deepEqual([answer.status, answer.next], [400, null]);
  assert.match(answer.text, /redirect_uri/);
});

test('without PKCE there is no sign-in', async () => {
  const answer = await browser()(authorize({ code_challenge: undefined, code_challenge_method: undefined }).url);
  assert.match(answer.next, /error=invalid_request/);
});

test('a wrong password stays on the page', async () => {
  const go = browser();
  const page = await go(authorize().url);
  const answer = await go(page.next, { username: 'ana', password: 'guess' });
  assert.equal(answer.status, 200);
  assert.match(answer.text, /Unable to sign in/);
});

test('whoever has a session is not asked again', async () => {
  const go = browser();
  await signIn(go);
  assert.match((await go(authorize().url)).next, /callback[?]code=/);
});

test('a refreshed token has no nonce, the same auth_time, and the groups of now', async () => {
  const first = await signIn();
  directory.change('ana', { groups: ['Everyone'] });
  const second = await refresh(first);
  directory.change('ana', { groups: ANA.groups });
  assert.equal(claims(second).nonce, undefined);
  assert.equal(claims(second).auth_time, claims(first).auth_time);
  assert.deepEqual(claims(second).groups, ['Everyone']);
});

test('a narrower scope on refresh loses the groups', async () => {
  assert.equal(claims(await refresh(await signIn(), { scope: 'openid' })).groups, undefined);
});

test('a rotated refresh token works within the grace, and afterwards ends the whole family', async () => {
  const first = await signIn();
  const second = await refresh(first);
  assert.ok((await refresh(first)).id_token, 'within the grace');
  okta.storage.grace = -1;
  assert.equal((await refresh(first)).error, 'invalid_grant');
  assert.equal((await refresh(second)).error, 'invalid_grant', 'the newest is dead too');
  okta.storage.grace = 30;
});

test('a disabled person cannot refresh', async () => {
  const tokens = await signIn();
  directory.change('ana', { enabled: false });
  assert.equal((await refresh(tokens)).error, 'invalid_grant');
  directory.change('ana', { enabled: true });
});

test('rotation keeps the old key published; an emergency does not', async () => {
  const published = async () => (await (await fetch(`${okta.issuer}/v1/keys`)).json()).keys.map((key) => key.kid);
  const before = part(await signIn(), 0).kid;
  const next = okta.rotate();
  assert.equal(part(await signIn(), 0).kid, next);
  assert.deepEqual(await published(), [next, before]);
  const last = okta.rotate({ emergency: true });
  assert.deepEqual(await published(), [last]);
});

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

async function askForCode() {
  const words = new URLSearchParams({ client_id: 'c', scope: 'openid groups offline_access' });
  const response = await fetch(`${okta.issuer}/v1/device/authorize`, { method: 'POST', body: words });
  return response.json();
}

/** Somebody types the code on another computer and presses a button. */
async function typeCode(asked, button) {
  const go = browser();
  const field = (page, name) => page.text.match(new RegExp(`name="${name}" value="([^"]+)"`))[1];
  const first = await go(asked.verification_uri);
  const sent = await go(asked.verification_uri, { xsrf: field(first, 'xsrf'), user_code: asked.user_code });
  const words = { xsrf: field(sent, 'xsrf'), user_code: field(sent, 'user_code'), confirm: 'yes', ...button };
  const page = await go(asked.verification_uri, words);
  if (!page.next) return page;
  const back = await go(page.next, { username: 'ana', password: 'pw' });
  return go(back.next);
}

test('a device code is waited for, typed elsewhere, and gives a dated id token without a nonce', async () => {
  const asked = await askForCode();
  const grant = { grant_type: DEVICE_CODE, device_code: asked.device_code };
  assert.equal((await token(grant)).error, 'authorization_pending');

  const done = await typeCode(asked, {});

  assert.match(done.text, /id="done"/);
  const tokens = await token(grant);
  const { sub, nonce, auth_time, groups } = claims(tokens);
  assert.deepEqual({ sub, nonce, groups }, { sub: '00uana', nonce: undefined, groups: ANA.groups });
  assert.ok(tokens.refresh_token && Number.isInteger(auth_time));
});

test('a device code that is denied says so, and one that ran out too', async () => {
  const denied = await askForCode();
  await typeCode(denied, { abort: 'yes' });
  assert.equal((await token({ grant_type: DEVICE_CODE, device_code: denied.device_code })).error, 'access_denied');

  okta.lifetimes.deviceCode = -1;
  const late = await askForCode();
  okta.lifetimes.deviceCode = 600;
  assert.match((await token({ grant_type: DEVICE_CODE, device_code: late.device_code })).error, /expired_token|invalid_grant/);
});

test('a revoked refresh token is worth nothing, and neither is what it was traded for', async () => {
  const first = await signIn();
  const second = await refresh(first);
  const words = new URLSearchParams({ client_id: 'c', token: second.refresh_token, token_type_hint: 'refresh_token' });
  const answer = await fetch(`${okta.issuer}/v1/revoke`, { method: 'POST', body: words });
  assert.equal(answer.status, 200);
  assert.equal((await refresh(second)).error, 'invalid_grant');
});
