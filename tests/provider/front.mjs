// What a browser or a client meets at the front: the authorization server below its path, the sign-in page beside it.
// Everything else is nothing; the administrator's door is elsewhere (`control.mjs`).
import { signIn } from './sign-in.mjs';

export function front(okta, directory) {
  return (request, response) => {
    const { pathname } = new URL(request.url, okta.issuer);
    if (pathname.startsWith('/signin/')) return signIn(okta, directory, request, response);
    if (pathname.startsWith(`${okta.mount}/`)) return okta.handle(request, response);
    response.writeHead(404, { 'content-type': 'text/plain' }).end('nothing here\n');
    return undefined;
  };
}
