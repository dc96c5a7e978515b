// Where the provider keeps sessions, grants and tokens: in memory, with two habits of Okta that the library lacks.
// A rotated refresh token stays good for a grace time, and a refreshed ID token carries no nonce.
import MemoryAdapter from 'oidc-provider/lib/adapters/memory_adapter.js';

/** The store outlives a `Provider`: key rotation builds a new one over the same storage. */
export class Storage {
  grace = 30;
  #entries = new Map();

  adapter() {
    const storage = this;
    return class extends MemoryAdapter {
      constructor(model) {
        super(model, storage);
      }

      async upsert(id, payload, expiresIn) {
        if (this.model === 'RefreshToken') delete payload.nonce;
        return super.upsert(id, payload, expiresIn);
      }

      async find(id) {
        const payload = await super.find(id);
        if (this.model !== 'RefreshToken' || !payload?.consumed) return payload;
        const age = Date.now() / 1000 - payload.consumed;
        return age <= storage.grace ? { ...payload, consumed: undefined } : payload;
      }
    };
  }

  get(key) {
    const entry = this.#entries.get(key);
    return entry && entry.until > Date.now() ? entry.value : undefined;
  }

  set(key, value, { maxAge = Infinity } = {}) {
    this.#entries.set(key, { value, until: Date.now() + maxAge });
  }

  delete(key) {
    return this.#entries.delete(key);
  }
}
