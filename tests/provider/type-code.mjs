// Somebody at another computer: opens the address, types the code, says yes and signs in. `node type-code.mjs ADDRESS CODE LOGIN`
// The password comes in $PASSWORD; prints what the last page says.

const [address, code, login] = process.argv.slice(2);
const password = process.env.PASSWORD;
const jar = new Map();

async function go(url, words) {
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  const form = words && { method: 'POST', body: new URLSearchParams(words) };
  const response = await fetch(url, { redirect: 'manual', headers: { cookie }, ...form });
  for (const line of response.headers.getSetCookie()) {
    const [name, value] = line.split(';')[0].split('=');
    jar.set(name, value);
  }
  const location = response.headers.get('location');
  return { next: location && new URL(location, url).href, text: await response.text() };
}

const field = (page, name) => page.text.match(new RegExp(`name="${name}" value="([^"]+)"`))[1];

const first = await go(address);
const sent = await go(address, { xsrf: field(first, 'xsrf'), user_code: code });
const asked = await go(address, { xsrf: field(sent, 'xsrf'), user_code: field(sent, 'user_code'), confirm: 'yes' });
const back = await go(asked.next, { username: login, password });
const done = await go(back.next);
console.log(done.text.replace(/<[^>]*>/g, ' ').trim());
