// Somebody at another computer: opens the address, types the code, says yes and signs in. `node type-code.mjs ADDRESS CODE LOGIN`
// The password comes in $PASSWORD; prints what the last page says.
import { go, words } from './walk.mjs';

const [address, code, login] = process.argv.slice(2);
const field = (page, name) => page.text.match(new RegExp(`name="${name}" value="([^"]+)"`))[1];

const first = await go(address);
const sent = await go(address, { xsrf: field(first, 'xsrf'), user_code: code });
const asked = await go(address, { xsrf: field(sent, 'xsrf'), user_code: field(sent, 'user_code'), confirm: 'yes' });
const back = await go(asked.next, { username: login, password: process.env.PASSWORD });
console.log(words(await go(back.next)));
