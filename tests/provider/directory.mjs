// The people the provider knows, and what an administrator may change about them while it runs.
// A disabled person keeps her tokens: like at Okta, the next refresh is what fails.

export class Directory {
  #people = new Map();

  constructor(people) {
    for (const person of people) this.#people.set(person.id, { ...person, enabled: true });
  }

  byId(id) {
    return this.#people.get(id);
  }

  byLogin(login) {
    return [...this.#people.values()].find((person) => person.login === login);
  }

  /** Who signs in with these words, or nobody: a wrong password and a disabled person look the same. */
  check(login, password) {
    const person = this.byLogin(login);
    return person?.enabled && person.password === password ? person : undefined;
  }

  change(login, changes) {
    const person = this.byLogin(login);
    if (!person) return false;
    Object.assign(person, changes);
    return true;
  }
}
