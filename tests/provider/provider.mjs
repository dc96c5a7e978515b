// Starts the stage's OpenID provider: `node provider.mjs CONFIG.json`. Prints one line, `ready`, when both doors are open.
// It is a stand-in for Okta: same paths, same strictness. Its control door is a Unix socket, so no browser can reach it.
import { readFileSync, rmSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { control } from './control.mjs';
import { Directory } from './directory.mjs';
import { Okta } from './okta.mjs';
import { signIn } from './sign-in.mjs';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const directory = new Directory(config.people);
const okta = new Okta(config, directory);

const door = createHttps(
  { cert: readFileSync(config.tls.certificate), key: readFileSync(config.tls.key) },
  (request, response) => {
    const { pathname } = new URL(request.url, config.issuer);
    if (pathname.startsWith('/signin/')) return signIn(okta, directory, request, response);
    if (pathname.startsWith(`${okta.mount}/`)) return okta.handle(request, response);
    response.writeHead(404, { 'content-type': 'text/plain' }).end('nothing here\n');
    return undefined;
  },
);
rmSync(config.control, { force: true });
const control_door = createHttp(control(okta, directory));

door.listen(config.port, config.host, () => control_door.listen(config.control, () => console.log('ready')));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
