// Starts the stage's OpenID provider: `node provider.mjs CONFIG.json`. Prints one line, `ready`, when both doors are open.
// It is a stand-in for Okta: same paths, same strictness. Its control door is a Unix socket, so no browser can reach it.
import { readFileSync, rmSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { control } from './control.mjs';
import { Directory } from './directory.mjs';
import { front } from './front.mjs';
import { Okta } from './okta.mjs';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const directory = new Directory(config.people);
const okta = new Okta(config, directory);

const tls = { cert: readFileSync(config.tls.certificate), key: readFileSync(config.tls.key) };
const door = createHttps(tls, front(okta, directory));
rmSync(config.control, { force: true });
const control_door = createHttp(control(okta, directory));

door.listen(config.port, config.host, () => control_door.listen(config.control, () => console.log('ready')));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
