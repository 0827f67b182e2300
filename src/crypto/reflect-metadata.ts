/**
 * The three `Reflect` metadata functions that tsyringe, the injector inside @peculiar/x509, demands at load time.
 * It must be imported before that package. A full implementation that is already present is left alone.
 */
type MetadataHost = typeof Reflect & {
  defineMetadata?: (key: unknown, value: unknown, target: object) => void;
  getOwnMetadata?: (key: unknown, target: object) => unknown;
  getMetadata?: (key: unknown, target: object) => unknown;
};

const metadata = new WeakMap<object, Map<unknown, unknown>>();
const host = Reflect as MetadataHost;

const getOwnMetadata = (key: unknown, target: object): unknown => metadata.get(target)?.get(key);

function getMetadata(key: unknown, target: object): unknown {
  for (let object: object | null = target; object !== null; object = Reflect.getPrototypeOf(object)) {
    if (metadata.get(object)?.has(key) === true) return getOwnMetadata(key, object);
  }
  return undefined;
}

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const entries = metadata.get(target) ?? new Map<unknown, unknown>();
  entries.set(key, value);
  metadata.set(target, entries);
}

if (host.getMetadata === undefined) {
  Object.assign(host, { defineMetadata, getOwnMetadata, getMetadata });
}
