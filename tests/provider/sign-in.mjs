// The page on which a person signs in. Plain HTML, no script; the ids are what the stage's browser driver fills in.
// `form-action` must name the loopback: browsers apply it to the redirect that follows the form.

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' http://127.0.0.1:*; frame-ancestors 'none'";

export async function signIn(okta, directory, request, response) {
  try {
    await okta.provider.interactionDetails(request, response);
  } catch {
    return page(response, 400, '<h1>This sign-in has ended</h1><p>Go back to the program and start again.</p>');
  }
  if (request.method !== 'POST') return page(response, 200, form());
  const words = new URLSearchParams(await body(request));
  const person = directory.check(words.get('username'), words.get('password'));
  if (!person) return page(response, 200, form('Unable to sign in', words.get('username')));
  const login = { accountId: person.id, amr: ['pwd'], remember: true };
  return okta.provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
}

function form(problem = '', username = '') {
  const alert = problem ? `<p id="problem" role="alert">${problem}</p>` : '';
  return `<h1>Sign in</h1><p class="quiet">to continue to <b>Tidegate</b></p>${alert}
<form method="post" autocomplete="off">
<label for="username">Username</label><input id="username" name="username" value="${escape(username)}" autofocus required>
<label for="password">Password</label><input id="password" name="password" type="password" required>
<button id="sign-in" type="submit">Sign in</button></form>`;
}

function page(response, status, inner) {
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY, 'cache-control': 'no-store' };
  response.writeHead(status, headers).end(`<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Acme - Sign in</title><style>
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #eef1f4; color: #1d2b36;
  font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { width: 20rem; padding: 2.25rem; background: #fff; border: 1px solid #d7dde2; border-radius: 10px; }
.brand { font-weight: 700; letter-spacing: .08em; color: #0f5f74; margin: 0 0 1.25rem; }
h1 { font-size: 1.35rem; margin: 0; } .quiet { margin: .1rem 0 1.25rem; color: #5b6b77; }
label { display: block; margin: .9rem 0 .25rem; font-size: .875rem; }
input, button { box-sizing: border-box; width: 100%; padding: .6rem .7rem; font: inherit; border-radius: 6px; border: 1px solid #b9c3cb; }
button { margin-top: 1.4rem; border: 0; background: #0f5f74; color: #fff; font-weight: 600; }
#problem { background: #fdecea; border: 1px solid #f3b8b1; border-radius: 6px; padding: .5rem .7rem; margin: 0; }
</style><main><p class="brand">ACME</p>${inner}</main></html>`);
}

async function body(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 8192) return '';
  }
  return text;
}

function escape(text) {
  return String(text ?? '').replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
