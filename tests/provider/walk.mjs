// A browser without a screen, as far as signing in needs one: it keeps cookies by host and follows from page to page.
// Redirects are followed one by one, because each may set a cookie.

const jars = new Map();

export async function go(url, words) {
  const jar = jars.get(new URL(url).host) ?? new Map();
  jars.set(new URL(url).host, jar);
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  const form = words && { method: 'POST', body: new URLSearchParams(words) };
  const response = await fetch(url, { redirect: 'manual', headers: { cookie }, ...form });
  for (const line of response.headers.getSetCookie()) {
    const [name, value] = line.split(';')[0].split('=');
    jar.set(name, value);
  }
  const location = response.headers.get('location');
  return { url, next: location && new URL(location, url).href, text: await response.text() };
}

/** On from a page until one that leads nowhere. */
export async function follow(page) {
  while (page.next) page = await go(page.next);
  return page;
}

export const words = (page) => page.text.replace(/<style.*?<\/style>/gs, ' ').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim();
