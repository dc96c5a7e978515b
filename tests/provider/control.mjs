// The administrator's door of the provider: JSON over a Unix socket that only the stage can open.
// Every call answers with the state after it, so that a test need not ask twice.

const CALLS = {
  'POST /person': (okta, directory, { login, ...changes }) => {
    if (!directory.change(login, changes)) throw new Error(`nobody is called ${login}`);
    return { login, ...changes };
  },
  'POST /rotate': (okta, _directory, { emergency }) => ({ kid: okta.rotate({ emergency }) }),
  'POST /lifetimes': (okta, _directory, changes) => Object.assign(okta.lifetimes, changes),
  'POST /grace': (okta, _directory, { seconds }) => ({ seconds: (okta.storage.grace = seconds) }),
  'GET /events': (okta) => okta.events,
  'GET /signing-key': (okta) => okta.signingKey,
};

export function control(okta, directory) {
  return async (request, response) => {
    const call = CALLS[`${request.method} ${request.url}`];
    try {
      let text = '';
      for await (const chunk of request) text += chunk;
      if (!call) throw new Error(`no such call: ${request.method} ${request.url}`);
      answer(response, 200, call(okta, directory, text ? JSON.parse(text) : {}));
    } catch (error) {
      answer(response, 400, { error: String(error.message) });
    }
  };
}

function answer(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
