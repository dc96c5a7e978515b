// Somebody with a browser of their own, at the same computer: opens the address that was printed and signs in. `node visit.mjs ADDRESS LOGIN`
// The password comes in $PASSWORD; prints what the last page says, which is the product's own on loopback.
import { follow, go, words } from './walk.mjs';

const [address, login] = process.argv.slice(2);

const asked = await follow(await go(address));
const signed = await go(asked.url, { username: login, password: process.env.PASSWORD });
console.log(words(await follow(signed)));
