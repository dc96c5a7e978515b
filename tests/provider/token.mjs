// A sign-in by a program of somebody's own, with the nonce of its choice: prints the ID token. `node token.mjs ISSUER CLIENT REDIRECT NONCE LOGIN`
// The password comes in $PASSWORD. Nobody listens at the redirect: the code is taken out of the address that leads there.
import { createHash, randomBytes } from 'node:crypto';
import { go } from './walk.mjs';

const [issuer, client, redirect, nonce, login] = process.argv.slice(2);
const verifier = randomBytes(32).toString('base64url');
const question = new URLSearchParams({
  client_id: client, response_type: 'code', scope: 'openid groups', redirect_uri: redirect, state: 'own', nonce,
  code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
});

const back = (page) => page.next?.startsWith(redirect);
async function onwards(page) {
  while (page.next && !back(page)) page = await go(page.next);
  return page;
}
const asked = await onwards(await go(`${issuer}/v1/authorize?${question}`));
const signed = await onwards(await go(asked.url, { username: login, password: process.env.PASSWORD }));
if (!back(signed)) throw new Error(`the provider leads to ${signed.url}`);

const code = new URL(signed.next).searchParams.get('code');
const words = { grant_type: 'authorization_code', code, redirect_uri: redirect, client_id: client, code_verifier: verifier };
const answer = await (await fetch(`${issuer}/v1/token`, { method: 'POST', body: new URLSearchParams(words) })).json();
console.log(answer.id_token);
